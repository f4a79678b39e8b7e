// What must hold of every picture that a label reader gives, whatever it read.
#pragma once

#include <cmath>
#include <cstdlib>

#include "data/detection_source.h"

namespace ghost {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void check_picture(const SourcePicture& picture) {
  if (picture.bad) {
    require(!picture.bad->place.empty() && !picture.bad->reason.empty());
    return;
  }
  for (const SourceBox& box : picture.boxes) {
    require(!box.name.empty());
    for (const double value : {box.box.left, box.box.top, box.box.right, box.box.bottom, box.area})
      require(!std::isnan(value));
  }
}

}  // namespace ghost
