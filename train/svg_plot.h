// Curves and a confusion matrix as SVG files that need nothing else: any browser shows them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ghost {

// A plot's file name and content.
struct NamedText {
  std::string name, text;
};

// Points that are not finite leave a gap. x and y are of one length.
struct Curve {
  std::string name;
  std::vector<double> x, y;
  bool strong = false;  // thick, above the others and first in the legend: a mean
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<Curve> curves;
  bool shares = false;  // both axes run from 0 to 1 whatever the points
};

// The plots one below the other. A legend names at most ten curves and counts the rest.
std::string svg_curves(const std::vector<Plot>& plots);

// counts[truth * classes + predicted]. A cell's colour is its share of its row; numbers and names are left out where
// there is no room for them. `background`: a detector's matrix with one row and one column more, for what was found
// where nothing is and for what was missed.
std::string svg_confusion(const std::vector<std::string>& classes, const std::vector<int64_t>& counts,
                          bool background = false);

// `text` for use between tags and in attributes: escaped, control characters and broken UTF-8 replaced by '?'.
std::string xml_text(std::string_view text);

}  // namespace ghost
