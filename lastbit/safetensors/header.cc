#include "lastbit/safetensors/header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<DType, std::string_view>, 13> kTypes = {{{DType::kBool, "BOOL"},
                                                                        {DType::kUint8, "U8"},
                                                                        {DType::kInt8, "I8"},
                                                                        {DType::kUint16, "U16"},
                                                                        {DType::kInt16, "I16"},
                                                                        {DType::kFloat16, "F16"},
                                                                        {DType::kBfloat16, "BF16"},
                                                                        {DType::kUint32, "U32"},
                                                                        {DType::kInt32, "I32"},
                                                                        {DType::kFloat, "F32"},
                                                                        {DType::kDouble, "F64"},
                                                                        {DType::kInt64, "I64"},
                                                                        {DType::kUint64, "U64"}}};
constexpr std::size_t kMostDimensions = 64;

// Takes the JSON as it is read, so that neither depth nor repeated keys can hide in a tree.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  SafetensorsHeader header() && { return std::move(header_); }

  bool null() override { fail("null"); }
  bool boolean(bool /*value*/) override { fail("true or false"); }
  bool number_integer(std::int64_t value) override { fail(cat("the number ", value)); }
  bool number_float(double /*value*/, const std::string& text) override {
    fail(cat("the number ", text));
  }
  bool binary(Json::binary_t& /*value*/) override { fail("bytes"); }

  bool number_unsigned(std::uint64_t value) override {
    if (state_ == State::kShape &&
        value <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      if (tensor().shape.size() == kMostDimensions) {
        fail(cat("more than ", kMostDimensions, " dimensions"));
      }
      tensor().shape.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::kOffsets && offsets_ < 2) {
      (offsets_++ == 0 ? tensor().begin : tensor().end) = value;
    } else {
      fail(cat("the number ", value));
    }
    return true;
  }

  bool string(std::string& text) override {
    if (state_ == State::kText) {
      header_.metadata[key_] = text;
      state_ = State::kMetadata;
    } else if (state_ == State::kValue && key_ == "dtype") {
      const auto* const type =
          std::ranges::find(kTypes, text, [](const auto& row) { return row.second; });
      if (type == kTypes.end()) fail(cat("dtype '", text, "'"), "one of " + known_types());
      tensor().type = type->first;
      state_ = State::kTensor;
    } else {
      fail(cat("the text '", text, "'"));
    }
    return true;
  }

  bool start_object(std::size_t /*size*/) override {
    if (state_ == State::kStart) {
      state_ = State::kHeader;
    } else if (state_ == State::kEntry) {
      state_ = key_ == kSafetensorsMetadata ? State::kMetadata : State::kTensor;
    } else {
      fail("'{'");
    }
    return true;
  }

  bool key(std::string& text) override {
    if (state_ == State::kHeader) {
      if (!names_.insert(text).second) fail(cat("the name '", text, "' again"), "each name once");
      if (text != kSafetensorsMetadata) {
        header_.tensors.emplace_back().name = text;
        keys_.clear();
      }
      state_ = State::kEntry;
    } else if (state_ == State::kMetadata) {
      if (header_.metadata.contains(text)) fail(cat("the key '", text, "' again"), "each key once");
      state_ = State::kText;
    } else {
      if (text != "dtype" && text != "shape" && text != "data_offsets") {
        fail(cat("the key '", text, "'"), "dtype, shape or data_offsets");
      }
      if (!keys_.insert(text).second) fail(cat("the key '", text, "' again"), "each key once");
      state_ = State::kValue;
    }
    key_ = text;
    return true;
  }

  bool end_object() override {
    if (state_ == State::kTensor && keys_.size() != 3) {
      const std::string_view missing = !keys_.contains("dtype")   ? "dtype"
                                       : !keys_.contains("shape") ? "shape"
                                                                  : "data_offsets";
      fail("its end", cat("the key ", missing));
    }
    state_ = state_ == State::kHeader ? State::kEnd : State::kHeader;
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    if (state_ != State::kValue || key_ == "dtype") fail("'['");
    state_ = key_ == "shape" ? State::kShape : State::kOffsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_ != 2) fail(cat(offsets_, " offsets"), "two");
    state_ = State::kTensor;
    return true;
  }

  bool parse_error(std::size_t position,
                   const std::string& token,
                   const Json::exception& /*error*/) override {
    throw FormatError(cat("[safetensors] ",
                          where_,
                          ": the header is not JSON at its character ",
                          position,
                          token.empty() ? "" : cat(", near '", token, "'")));
  }

 private:
  // What has been read, and so what may follow.
  enum class State : std::uint8_t {
    kStart,     // nothing
    kHeader,    // the header's {, or a whole entry
    kEntry,     // a name in the header
    kMetadata,  // the {, or a whole text, of the metadata
    kText,      // a key in the metadata
    kTensor,    // the {, or a whole value, of a tensor
    kValue,     // a key of a tensor
    kShape,     // the [ of a shape
    kOffsets,   // the [ of the offsets
    kEnd,       // all
  };

  SafetensorsEntry& tensor() { return header_.tensors.back(); }

  static std::string known_types() {
    std::vector<std::string_view> names;
    names.reserve(kTypes.size());
    for (const auto& [type, name] : kTypes) names.push_back(name);
    return join(names);
  }

  std::string expected() const {
    switch (state_) {
      case State::kStart:
        return "an object of tensors by name";
      case State::kEntry:
        return key_ == kSafetensorsMetadata ? "an object of texts"
                                            : "an object with dtype, shape and data_offsets";
      case State::kText:
        return "a text";
      case State::kShape:
        return "sizes of at most 63 bits";
      case State::kOffsets:
        return "two offsets";
      default:
        return key_ == "dtype" ? "a text" : "a list of numbers that are not negative";
    }
  }

  [[noreturn]] void fail(const std::string& found) const { fail(found, expected()); }

  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    const bool in_header = state_ == State::kStart || state_ == State::kHeader;
    const bool in_metadata = state_ == State::kMetadata || state_ == State::kText ||
                             (state_ == State::kEntry && key_ == kSafetensorsMetadata);
    throw FormatError(cat("[safetensors] ",
                          where_,
                          ": ",
                          in_header     ? "the header"
                          : in_metadata ? "the metadata"
                                        : cat("tensor '", header_.tensors.back().name, "'"),
                          " has ",
                          found,
                          ", expected ",
                          expected));
  }

  const std::string& where_;
  SafetensorsHeader header_;
  State state_ = State::kStart;
  std::string key_;              // the last one read
  std::set<std::string> names_;  // in the header
  std::set<std::string> keys_;   // of the tensor at hand
  int offsets_ = 0;
};

}  // namespace

std::string_view safetensors_name(DType type) noexcept {
  const auto* const row =
      std::ranges::find(kTypes, type, [](const auto& known) { return known.first; });
  return row == kTypes.end() ? std::string_view() : row->second;
}

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& where) {
  // The format says so; JSON would allow spaces before.
  if (!text.starts_with('{')) {
    throw FormatError(cat("[safetensors] ", where, ": the header does not begin with '{'"));
  }
  Reader reader(where);
  Json::sax_parse(text, &reader);
  return std::move(reader).header();
}

}  // namespace lastbit
