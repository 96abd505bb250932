#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// An element of an XML file. Attributes and comments are passed over.
struct XmlElement {
  std::string name;
  std::string text;  ///< All of its own text, without the white space around it; UTF-8.
  std::vector<XmlElement> children;

  /// The first child called `name`, or null.
  const XmlElement* find(std::string_view name) const noexcept;
};

/// Far more than any annotation has.
inline constexpr std::size_t kMaxXmlBytes = std::size_t{1} << 24U;
inline constexpr std::size_t kMaxXmlElements = 200'000;
inline constexpr int kMaxXmlDepth = 32;

/// Reads a small XML file into memory and returns its root. UTF-8, UTF-16 and ISO-8859-1 are read,
/// as the file says. A document type is refused, and with it every entity of a file's own.
/// @param where  begins every error message: the file.
/// @throws FormatError with the line for what is not well-formed or beyond the limits above;
///     InputError where LastBit was built without Expat.
XmlElement read_xml(std::span<const std::byte> file, const std::string& where);

}  // namespace lastbit
