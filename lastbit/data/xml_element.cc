#include <algorithm>

#include "lastbit/data/xml.h"

namespace lastbit {

const XmlElement* XmlElement::find(std::string_view child) const noexcept {
  const auto found = std::ranges::find(children, child, &XmlElement::name);
  return found == children.end() ? nullptr : &*found;
}

}  // namespace lastbit
