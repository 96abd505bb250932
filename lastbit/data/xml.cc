#include "lastbit/data/xml.h"

#include <exception>
#include <expat.h>
#include <memory>
#include <type_traits>
#include <utility>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

struct FreeParser {
  void operator()(XML_Parser parser) const noexcept { ::XML_ParserFree(parser); }
};

void trim(std::string& text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) {
    text.clear();
    return;
  }
  text.erase(text.find_last_not_of(kSpace) + 1);
  text.erase(0, begin);
}

/// Builds the tree. Expat is written in C: what its callbacks throw is kept and thrown behind it.
class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where), parser_(::XML_ParserCreate(nullptr)) {
    if (parser_ == nullptr) throw std::bad_alloc();
    ::XML_SetUserData(parser_.get(), this);
    ::XML_SetElementHandler(
        parser_.get(),
        [](void* self, const XML_Char* name, const XML_Char**) {
          guarded(self, [&](Reader& reader) { reader.begin(name); });
        },
        [](void* self, const XML_Char*) { guarded(self, [](Reader& reader) { reader.end(); }); });
    ::XML_SetCharacterDataHandler(parser_.get(), [](void* self, const XML_Char* text, int size) {
      guarded(self, [&](Reader& reader) {
        reader.open_.back().text.append(text, static_cast<std::size_t>(size));
      });
    });
    ::XML_SetStartDoctypeDeclHandler(
        parser_.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          guarded(self, [](Reader& reader) {
            reader.fail("has a document type (DOCTYPE), which could define entities: refused");
          });
        });
  }

  XmlElement read(std::span<const std::byte> file) {
    const auto* const bytes = reinterpret_cast<const char*>(file.data());
    const auto status = ::XML_Parse(parser_.get(), bytes, static_cast<int>(file.size()), XML_TRUE);
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
    if (status != XML_STATUS_OK) {
      fail(cat("is no XML file: ", ::XML_ErrorString(::XML_GetErrorCode(parser_.get()))));
    }
    return std::move(root_);
  }

 private:
  template <typename Work>
  static void guarded(void* self, const Work& work) noexcept {
    Reader& reader = *static_cast<Reader*>(self);
    if (reader.thrown_ != nullptr) return;
    try {
      work(reader);
    } catch (...) {
      reader.thrown_ = std::current_exception();
      ::XML_StopParser(reader.parser_.get(), XML_FALSE);
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(cat("[xml] ",
                          where_,
                          " line ",
                          static_cast<unsigned long>(::XML_GetCurrentLineNumber(parser_.get())),
                          " ",
                          what));
  }

  void begin(const XML_Char* name) {
    if (open_.size() == kMaxXmlDepth) {
      fail(cat("is nested deeper than ", kMaxXmlDepth, " elements"));
    }
    if (++elements_ > kMaxXmlElements) fail(cat("has more than ", kMaxXmlElements, " elements"));
    open_.push_back({.name = name, .text = {}, .children = {}});
  }

  void end() {
    XmlElement done = std::move(open_.back());
    open_.pop_back();
    trim(done.text);
    if (open_.empty()) {
      root_ = std::move(done);
    } else {
      open_.back().children.push_back(std::move(done));
    }
  }

  const std::string& where_;
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser> parser_;
  std::vector<XmlElement> open_;
  std::size_t elements_ = 0;
  XmlElement root_;
  std::exception_ptr thrown_;
};

}  // namespace

XmlElement read_xml(std::span<const std::byte> file, const std::string& where) {
  if (file.empty()) throw FormatError(cat("[xml] ", where, " is empty"));
  if (file.size() > kMaxXmlBytes) {
    throw FormatError(
        cat("[xml] ", where, " has ", file.size(), " bytes, expected at most ", kMaxXmlBytes));
  }
  return Reader(where).read(file);
}

}  // namespace lastbit
