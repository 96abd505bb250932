#include "lastbit/data/text_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "lastbit/archive/inflate.h"
#include "lastbit/base/error.h"
#include "lastbit/base/file.h"
#include "lastbit/base/text.h"
#include "lastbit/data/places.h"
#include "lastbit/data/utf8.h"

namespace lastbit {
namespace {

constexpr std::array<std::string_view, 2> kEndings = {".txt", ".tokens"};

using Part = std::optional<std::filesystem::path> TextFiles::*;

struct PartName {
  std::string_view name;
  Part part;
};

constexpr std::array<PartName, 5> kParts = {{{"train", &TextFiles::train},
                                             {"valid", &TextFiles::valid},
                                             {"validation", &TextFiles::valid},
                                             {"val", &TextFiles::valid},
                                             {"test", &TextFiles::test}}};

struct FileName {
  std::string text;  // what stands before the part: "ptb" of ptb.train.txt.gz
  Part part;
};

std::optional<FileName> parse_file_name(std::string_view name) {
  constexpr std::string_view kPacked = ".gz";
  if (name.ends_with(kPacked)) name.remove_suffix(kPacked.size());
  const auto* const ending =
      std::ranges::find_if(kEndings, [&](std::string_view e) { return name.ends_with(e); });
  if (ending == kEndings.end()) return std::nullopt;
  name.remove_suffix(ending->size());
  for (const PartName& part : kParts) {
    if (name == part.name) return FileName{"", part.part};
    if (!name.ends_with(part.name)) continue;
    const std::string_view text = name.substr(0, name.size() - part.name.size());
    if (text.size() > 1 && text.ends_with('.')) {
      return FileName{std::string(text.substr(0, text.size() - 1)), part.part};
    }
  }
  return std::nullopt;
}

// The texts whose files lie in a folder, by their names. A plain file comes before a packed one.
std::map<std::string, TextFiles> texts_in(const std::filesystem::path& folder) {
  std::set<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;
    if (entry->is_regular_file(unknown)) files.insert(entry->path());
  }
  std::map<std::string, TextFiles> texts;
  for (const std::filesystem::path& file : files) {
    const std::optional<FileName> name = parse_file_name(file.filename().string());
    if (!name) continue;
    TextFiles& text = texts[name->text];
    text.folder = folder;
    if (!(text.*(name->part))) text.*(name->part) = file;
  }
  return texts;
}

std::optional<TextFiles> find_at(const std::filesystem::path& place) {
  std::error_code error;
  if (is_folder(place)) {
    std::map<std::string, TextFiles> texts = texts_in(place);
    if (texts.empty()) return std::nullopt;
    if (texts.size() == 1) return std::move(texts.begin()->second);
    std::vector<std::string> names;
    for (const auto& [name, files] : texts) {
      names.push_back((name.empty() ? place : place / name).string());
    }
    throw InputError(
        cat("[text] ", place.string(), " holds several texts, expected one of ", join(names)));
  }
  if (std::filesystem::is_regular_file(place, error)) {
    return TextFiles{
        .folder = place.parent_path(), .train = {}, .valid = {}, .test = {}, .whole = place};
  }
  const std::filesystem::path folder =
      place.has_parent_path() ? place.parent_path() : std::filesystem::path(".");
  std::map<std::string, TextFiles> texts = texts_in(folder);
  const auto found = texts.find(place.filename().string());
  if (found == texts.end()) return std::nullopt;
  return std::move(found->second);
}

[[noreturn]] void fail_large(const std::filesystem::path& path) {
  throw InputError(
      cat("[text] ", path.string(), " has more than ", kMostTextBytes, " bytes of text"));
}

std::string unpack(std::span<const std::byte> packed, const std::filesystem::path& path) {
  constexpr std::size_t kPiece = std::size_t{1} << 20U;
  Inflater inflater(packed, Wrapping::kGzip, cat("[gzip] ", path.string()));
  std::string text;
  std::vector<char> piece(kPiece);
  for (std::size_t got = kPiece; got == kPiece;) {
    got = inflater.read(std::as_writable_bytes(std::span(piece)));
    if (got > kMostTextBytes - text.size()) fail_large(path);
    text.append(piece.data(), got);
  }
  if (inflater.left() != 0) {
    throw FormatError(cat("[gzip] ",
                          path.string(),
                          " has ",
                          inflater.left(),
                          " bytes behind its gzip stream, expected none"));
  }
  return text;
}

}  // namespace

TextFiles find_text_files(const std::string& path, std::span<const std::filesystem::path> places) {
  std::vector<std::string> searched;
  for (const std::filesystem::path& place : places) {
    if (path.empty()) break;
    if (std::optional<TextFiles> found = find_at(place)) return *std::move(found);
    searched.push_back(place.string());
  }
  throw InputError(
      cat("[text] no text '",
          path,
          "': searched ",
          join(searched),
          ", each as a file, as a folder of train.txt, valid.txt and test.txt, and as what "
          "stands before .train.txt; .tokens and .gz will do too"));
}

std::string read_text_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  std::string text;
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}) {
    text = unpack(bytes, path);
  } else {
    if (bytes.size() > kMostTextBytes) fail_large(path);
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  require_utf8(text, cat("[text] ", path.string()));
  return text;
}

}  // namespace lastbit
