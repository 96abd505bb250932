#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "lastbit/data/image.h"
#include "lastbit/detect/box.h"

namespace lastbit {

/// An object of an annotation as the file has it, but for its box: VOC counts pixels from 1 and
/// names the last one, so (xmin, ymin, xmax, ymax) becomes the edges (xmin - 1, ymin - 1, xmax,
/// ymax).
struct VocObject {
  std::string name;
  Box box;  ///< Finite; it may lie outside the image or be empty.
  bool difficult = false;
  bool truncated = false;
};

/// One file of Annotations/.
struct VocAnnotation {
  std::string file_name;  ///< Empty where it is not said.
  ImageSize size;         ///< 0 x 0 where it is not said.
  std::vector<VocObject> objects;
};

/// Reads an annotation: <annotation> with <filename>, <size> of <width> and <height>, and for each
/// <object> <name>, <difficult>, <truncated> (0 or 1, 0 where they are missing) and <bndbox> of
/// <xmin>, <ymin>, <xmax> and <ymax>. Other elements are passed over, as the <part>s of an object.
/// @param where  begins every error message: the file.
/// @throws as `read_xml`; FormatError naming object and element for what is missing, there twice or
///     no number.
VocAnnotation read_voc_annotation(std::span<const std::byte> file, const std::string& where);

}  // namespace lastbit
