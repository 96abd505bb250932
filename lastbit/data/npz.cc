#include "lastbit/data/npz.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr std::string_view kEnding = ".npy";

}  // namespace

Npz::Npz(const std::filesystem::path& path)
    : path_(path), file_(path), zip_(file_.bytes(), cat("[npz] ", path.string())) {}

bool Npz::has(std::string_view array) const { return zip_.find(cat(array, kEnding)) != nullptr; }

std::vector<std::string> Npz::arrays() const {
  std::vector<std::string> names;
  for (const Zip::Entry& entry : zip_.entries()) {
    if (!entry.name.ends_with(kEnding)) continue;
    names.push_back(entry.name.substr(0, entry.name.size() - kEnding.size()));
  }
  return names;
}

std::vector<std::byte> Npz::read(std::string_view array) const {
  const Zip::Entry* const entry = zip_.find(cat(array, kEnding));
  if (entry == nullptr) {
    throw FormatError(cat("[npz] ",
                          path_.string(),
                          " has no array ",
                          array,
                          "; it has: ",
                          zip_.entries().empty() ? "none" : join(arrays())));
  }
  return zip_.read(*entry);
}

}  // namespace lastbit
