#include "lastbit/data/voc_annotation.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/xml.h"

namespace lastbit {
namespace {

constexpr double kMaxCoordinate = 1e7;  // a float tells neighbouring pixels apart up to there
constexpr std::size_t kMaxName = 100;

/// Reads elements of one file, and says where what is wrong stands.
class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  VocAnnotation read(const XmlElement& root) {
    place_ = "root";
    if (root.name != "annotation") fail(cat("is <", shown(root.name), ">, expected <annotation>"));
    VocAnnotation annotation;
    place_ = "annotation";
    if (const XmlElement* name = child(root, "filename")) annotation.file_name = name->text;
    if (const XmlElement* size = child(root, "size")) {
      annotation.size.width = extent(*size, "width");
      annotation.size.height = extent(*size, "height");
      // Programs that do not know the size write zeros.
      if (annotation.size.width == 0 || annotation.size.height == 0) annotation.size = {};
    }
    for (const XmlElement& element : root.children) {
      if (element.name != "object") continue;
      place_ = cat("object ", annotation.objects.size() + 1);
      annotation.objects.push_back(object(element));
    }
    return annotation;
  }

 private:
  static std::string shown(std::string_view text) {
    return text.size() > kMaxName ? cat(text.substr(0, kMaxName), "...") : std::string(text);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(cat("[voc] ", where_, " ", place_, " ", what));
  }

  // The one child of this name, or null.
  const XmlElement* child(const XmlElement& parent, std::string_view name) const {
    const auto count = std::ranges::count(parent.children, name, &XmlElement::name);
    if (count > 1) fail(cat("has <", name, "> ", count, " times, expected once"));
    return parent.find(name);
  }

  const XmlElement& required(const XmlElement& parent, std::string_view name) const {
    const XmlElement* const found = child(parent, name);
    if (found == nullptr) fail(cat("has no <", name, ">"));
    return *found;
  }

  double number(const XmlElement& parent, std::string_view name) const {
    const std::string& text = required(parent, name).text;
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() ||
        !(std::abs(value) <= kMaxCoordinate)) {
      fail(cat("has <", name, "> '", shown(text), "', expected a number of pixels"));
    }
    return value;
  }

  std::int64_t extent(const XmlElement& parent, std::string_view name) const {
    const double value = number(parent, name);
    if (value < 0.0 || value != std::floor(value)) {
      fail(cat("has <", name, "> ", value, ", expected a whole number of pixels"));
    }
    return static_cast<std::int64_t>(value);
  }

  bool flag(const XmlElement& parent, std::string_view name) const {
    const XmlElement* const found = child(parent, name);
    if (found == nullptr || found->text == "0") return false;
    if (found->text == "1") return true;
    fail(cat("has <", name, "> '", shown(found->text), "', expected 0 or 1"));
  }

  VocObject object(const XmlElement& element) const {
    VocObject object;
    object.name = required(element, "name").text;
    const bool printable = std::ranges::none_of(
        object.name, [](unsigned char letter) { return letter < ' ' || letter == 0x7f; });
    if (object.name.empty() || object.name.size() > kMaxName || !printable) {
      fail(cat("has a <name> of ",
               object.name.size(),
               " bytes, expected one line of 1, ..., ",
               kMaxName));
    }
    object.difficult = flag(element, "difficult");
    object.truncated = flag(element, "truncated");
    const XmlElement& box = required(element, "bndbox");
    object.box = {.left = static_cast<float>(number(box, "xmin") - 1.0),
                  .top = static_cast<float>(number(box, "ymin") - 1.0),
                  .right = static_cast<float>(number(box, "xmax")),
                  .bottom = static_cast<float>(number(box, "ymax"))};
    return object;
  }

  const std::string& where_;
  std::string place_;
};

}  // namespace

VocAnnotation read_voc_annotation(std::span<const std::byte> file, const std::string& where) {
  return Reader(where).read(read_xml(file, where));
}

}  // namespace lastbit
