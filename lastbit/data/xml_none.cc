// Takes the place of the reader where Expat is missing.
#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/xml.h"

namespace lastbit {

XmlElement read_xml(std::span<const std::byte> /*file*/, const std::string& where) {
  throw InputError(cat("[xml] ", where, " cannot be read: this LastBit was built without Expat"));
}

}  // namespace lastbit
