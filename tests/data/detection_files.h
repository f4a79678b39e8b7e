// Small detection data sets that the tests write for themselves.
#pragma once

#include <string>

#include "data/detection_set.h"
#include "pictures.h"

namespace ghost {

inline std::string voc_corners(const std::string& left, const std::string& top, const std::string& right,
                               const std::string& bottom) {
  return "<xmin>" + left + "</xmin><ymin>" + top + "</ymin><xmax>" + right + "</xmax><ymax>" + bottom + "</ymax>";
}
// Four lines and the one of the picture's size above: objects begin in lines 3, 7, 11, ...
inline std::string voc_object(const std::string& name, const std::string& corners, const std::string& more = "") {
  return "<object><name>" + name + "</name>\n" + more + "\n<bndbox>" + corners + "</bndbox>\n</object>\n";
}
inline std::string voc_xml(const std::string& objects) {
  return "<annotation>\n<size><width>60</width><height>40</height></size>\n" + objects + "</annotation>\n";
}

inline DetectionSetOptions detection_options(DetectionFormat format, const std::string& source) {
  DetectionSetOptions options;
  options.source = source;
  options.format = format;
  return options;
}

}  // namespace ghost
