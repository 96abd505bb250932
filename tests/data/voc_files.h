#pragma once

#include <string>
#include <vector>

namespace lastbit {

/// <object> as PASCAL VOC has it.
inline std::string voc_object(const std::string& name,
                              const std::string& xmin,
                              const std::string& ymin,
                              const std::string& xmax,
                              const std::string& ymax,
                              const std::string& more = "") {
  return "<object><name>" + name + "</name>" + more + "<bndbox><xmin>" + xmin + "</xmin><ymin>" +
         ymin + "</ymin><xmax>" + xmax + "</xmax><ymax>" + ymax + "</ymax></bndbox></object>\n";
}

inline std::string voc_xml(int width, int height, const std::string& objects) {
  return "<annotation verified=\"yes\">\n<folder>photos</folder><filename>of another.jpg</filename>"
         "<size><width>" +
         std::to_string(width) + "</width><height>" + std::to_string(height) +
         "</height><depth>3</depth></size>\n" + objects + "</annotation>\n";
}

}  // namespace lastbit
