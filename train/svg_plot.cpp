#include "train/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/error.h"

namespace ghost {
namespace {

// Okabe and Ito's colours: told apart by colour-blind readers too.
constexpr std::array<const char*, 7> kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                             "#e69f00", "#56b4e9", "#000000"};

// A coordinate: two decimals are finer than any screen.
std::string at(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

std::string label(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string svg_file(double width, double height, const std::string& body) {
  return str("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", at(width), "\" height=\"", at(height),
             "\" viewBox=\"0 0 ", at(width), " ", at(height),
             "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n",
             "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n", body, "</svg>\n");
}

std::string text_at(double x, double y, std::string_view attributes, std::string_view text) {
  return str("<text x=\"", at(x), "\" y=\"", at(y), "\" ", attributes, ">", xml_text(text), "</text>\n");
}

std::string line_between(double x1, double y1, double x2, double y2, const char* color) {
  return str("<line x1=\"", at(x1), "\" y1=\"", at(y1), "\" x2=\"", at(x2), "\" y2=\"", at(y2), "\" stroke=\"", color,
             "\"/>\n");
}

// The extent of some numbers, never empty.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void close(double margin) {
    if (low > high) *this = {0, 1};
    double pad = (high - low) * margin;
    if (high - low <= 0) pad = std::max(0.5, std::abs(low) * 0.1);
    low -= pad;
    high += pad;
  }
};

// Multiples of 1, 2 or 5 times a power of ten within the extent, about `wanted` of them.
std::vector<double> ticks(const Extent& extent, int wanted) {
  const double raw = (extent.high - extent.low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> result;
  if (!std::isfinite(step) || step <= 0) return result;
  const double first = std::ceil(extent.low / step);
  for (int i = 0; i <= 4 * wanted && (first + i) * step <= extent.high; ++i) {
    const double value = (first + i) * step;
    result.push_back(value == 0 ? 0 : value);  // no "-0"
  }
  return result;
}

constexpr double kPlotWidth = 760, kPlotHeight = 300, kLeft = 80, kRight = 170, kTop = 40, kBottom = 50;

// One plot's coordinates to pixels.
struct Frame {
  Extent x, y;
  double top;

  double left_edge() const { return kLeft; }
  double right_edge() const { return kPlotWidth - kRight; }
  double top_edge() const { return top + kTop; }
  double bottom_edge() const { return top + kPlotHeight - kBottom; }
  double to_x(double value) const {
    return left_edge() + (value - x.low) / (x.high - x.low) * (right_edge() - left_edge());
  }
  double to_y(double value) const {
    return bottom_edge() - (value - y.low) / (y.high - y.low) * (bottom_edge() - top_edge());
  }
};

bool drawable(const Curve& curve, size_t i) {
  // Beyond 1e100 the arithmetic of the frame itself would overflow.
  return std::abs(curve.x[i]) < 1e100 && std::abs(curve.y[i]) < 1e100;
}

std::string axes(const Plot& plot, const Frame& f) {
  std::string out;
  for (const double x : ticks(f.x, 8)) {
    out += line_between(f.to_x(x), f.top_edge(), f.to_x(x), f.bottom_edge(), "#e5e5e5");
    out += text_at(f.to_x(x), f.bottom_edge() + 16, "text-anchor=\"middle\"", label(x));
  }
  for (const double y : ticks(f.y, 5)) {
    out += line_between(f.left_edge(), f.to_y(y), f.right_edge(), f.to_y(y), "#e5e5e5");
    out += text_at(f.left_edge() - 8, f.to_y(y) + 4, "text-anchor=\"end\"", label(y));
  }
  out += line_between(f.left_edge(), f.bottom_edge(), f.right_edge(), f.bottom_edge(), "#222222");
  out += line_between(f.left_edge(), f.top_edge(), f.left_edge(), f.bottom_edge(), "#222222");
  const double middle_x = (f.left_edge() + f.right_edge()) / 2, middle_y = (f.top_edge() + f.bottom_edge()) / 2;
  out +=
      text_at(middle_x, f.top_edge() - 14, "text-anchor=\"middle\" font-size=\"15\" font-weight=\"bold\"", plot.title);
  out += text_at(middle_x, f.bottom_edge() + 38, "text-anchor=\"middle\"", plot.x_label);
  out += text_at(18, middle_y, str("text-anchor=\"middle\" transform=\"rotate(-90 18 ", at(middle_y), ")\""),
                 plot.y_label);
  return out;
}

// At most `most` characters of a name, cut between characters.
std::string short_name(const std::string& name, int most) {
  int characters = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool starts_one = (static_cast<unsigned char>(name[i]) & 0xc0) != 0x80;
    if (starts_one && characters++ == most) return name.substr(0, i) + "...";
  }
  return name;
}

struct Style {
  const char* color;
  const char* dash;
  double width;
};

std::string curve_lines(const Curve& curve, const Frame& f, const Style& style) {
  std::string out, points;
  size_t count = 0;
  const auto end_piece = [&] {
    if (count > 1)
      out += str("<polyline fill=\"none\" stroke=\"", style.color, "\" stroke-width=\"", style.width, "\"", style.dash,
                 " points=\"", points, "\"/>\n");
    points.clear();
    count = 0;
  };
  for (size_t i = 0; i < curve.x.size(); ++i) {
    if (!drawable(curve, i)) {
      end_piece();
      continue;
    }
    const std::string x = at(f.to_x(curve.x[i])), y = at(f.to_y(curve.y[i]));
    points += str(count++ ? " " : "", x, ",", y);
    // Dots show where few points are, and the only one.
    if (curve.x.size() <= 60)
      out += str("<circle cx=\"", x, "\" cy=\"", y, "\" r=\"2.5\" fill=\"", style.color, "\"/>\n");
  }
  end_piece();
  return out;
}

struct Styled {
  const Curve* curve;
  Style style;
};

// In the order of drawing: the strong curves last. Where colours come again they are dashed, and many lines are thin.
std::vector<Styled> style_of(const std::vector<Curve>& curves) {
  constexpr std::array<const char*, 3> kDashes{"", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\""};
  std::vector<Styled> weak, strong;
  const size_t strong_count =
      static_cast<size_t>(std::count_if(curves.begin(), curves.end(), [](const Curve& c) { return c.strong; }));
  // Black is the strong ones' where there are any.
  const size_t colors = kColors.size() - (strong_count > 0 ? 1 : 0);
  const double width = curves.size() > 20 ? 1 : 2;
  for (const Curve& curve : curves) {
    const size_t i = weak.size(), k = strong.size();
    if (curve.strong) {
      strong.push_back({&curve, {kColors.back(), kDashes[k % kDashes.size()], 3.5}});
    } else {
      weak.push_back({&curve, {kColors[i % colors], kDashes[i / colors % kDashes.size()], width}});
    }
  }
  weak.insert(weak.end(), strong.begin(), strong.end());
  return weak;
}

// The strong curves first.
std::string legend(const std::vector<Styled>& styled, const Frame& f) {
  constexpr size_t kMostNames = 10;
  std::vector<const Styled*> order;
  for (const bool strong : {true, false})
    for (const Styled& one : styled)
      if (one.curve->strong == strong) order.push_back(&one);
  const size_t named = order.size() > kMostNames ? kMostNames - 1 : order.size();
  const double x = f.right_edge() + 15;
  const auto row = [&](size_t i) { return f.top_edge() + 10 + 20 * static_cast<double>(i); };
  std::string out;
  for (size_t i = 0; i < named; ++i) {
    const Style& style = order[i]->style;
    out += str("<line x1=\"", at(x), "\" y1=\"", at(row(i) - 3), "\" x2=\"", at(x + 18), "\" y2=\"", at(row(i) - 3),
               "\" stroke=\"", style.color, "\" stroke-width=\"4\"", style.dash, "/>\n");
    out += text_at(x + 25, row(i) + 2, "", short_name(order[i]->curve->name, 20));
  }
  if (named < order.size())
    out += text_at(x + 25, row(named) + 2, "fill=\"#777777\"", str("and ", order.size() - named, " more"));
  return out;
}

std::string draw_plot(const Plot& plot, double top) {
  Frame frame{{}, {}, top};
  for (const Curve& curve : plot.curves) {
    GHOST_ASSERT(curve.x.size() == curve.y.size(), "curve '" + curve.name + "' has unequal x and y");
    for (size_t i = 0; i < curve.x.size(); ++i) {
      if (!drawable(curve, i)) continue;
      frame.x.add(curve.x[i]);
      frame.y.add(curve.y[i]);
    }
  }
  const bool empty = frame.x.low > frame.x.high;
  if (plot.shares) {
    frame.x = frame.y = {0, 1};
  } else {
    frame.x.close(0);
    frame.y.close(0.05);
  }
  std::string out = axes(plot, frame);
  if (empty) {
    out += text_at((kLeft + kPlotWidth - kRight) / 2, top + kPlotHeight / 2, "text-anchor=\"middle\" fill=\"#777777\"",
                   "no data");
  }
  const std::vector<Styled> styled = style_of(plot.curves);
  for (const Styled& one : styled) out += curve_lines(*one.curve, frame, one.style);
  return out + legend(styled, frame);
}

// White to dark blue.
std::string share_color(double share) {
  const auto mix = [&](int to) { return static_cast<int>(std::lround(255 + (to - 255) * share)); };
  char text[8];
  std::snprintf(text, sizeof(text), "#%02x%02x%02x", mix(8), mix(64), mix(129));
  return text;
}

}  // namespace

std::string svg_curves(const std::vector<Plot>& plots) {
  std::string body;
  for (size_t i = 0; i < plots.size(); ++i) body += draw_plot(plots[i], kPlotHeight * static_cast<double>(i));
  return svg_file(kPlotWidth, kPlotHeight * static_cast<double>(std::max<size_t>(plots.size(), 1)), body);
}

std::string svg_confusion(const std::vector<std::string>& classes, const std::vector<int64_t>& counts,
                          bool background) {
  const size_t n = classes.size() + (background ? 1 : 0);
  GHOST_ASSERT(counts.size() == n * n, "a confusion matrix is square");
  const double cell = std::clamp(640.0 / static_cast<double>(std::max<size_t>(n, 1)), 1.0, 44.0);
  const bool names = cell >= 9, numbers = cell >= 26;
  const double left = names ? 210 : 50, top = names ? 220 : 70, side = cell * static_cast<double>(n);
  std::string out =
      text_at(left, 24, "font-size=\"15\" font-weight=\"bold\"", "Confusion matrix (colour: share of the true class)");
  out += text_at(left, 44, "", "columns: predicted class; rows: true class");
  if (background) out += text_at(left, 60, "", "background row: nothing was there; background column: not found");
  const auto name = [&](size_t i) { return i < classes.size() ? short_name(classes[i], 24) : "background"; };
  for (size_t row = 0; row < n; ++row) {
    const double y = top + cell * static_cast<double>(row), center = cell / 2;
    if (names) {
      const double x = left + cell * static_cast<double>(row) + center;
      out += text_at(left - 6, y + center + 4, "text-anchor=\"end\"", name(row));
      out += text_at(x + 4, top - 6, str("transform=\"rotate(-60 ", at(x + 4), " ", at(top - 6), ")\""), name(row));
    }
    int64_t total = 0;
    for (size_t column = 0; column < n; ++column) total += counts[row * n + column];
    for (size_t column = 0; column < n; ++column) {
      const int64_t count = counts[row * n + column];
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(total);
      const double x = left + cell * static_cast<double>(column);
      out += str("<rect x=\"", at(x), "\" y=\"", at(y), "\" width=\"", at(cell), "\" height=\"", at(cell), "\" fill=\"",
                 share_color(share), "\"/>\n");
      if (!numbers) continue;
      const std::string style = str("text-anchor=\"middle\" font-size=\"", count < 10000 ? 11 : 8, "\" fill=\"",
                                    share > 0.5 ? "#ffffff" : "#222222", "\"");
      out += text_at(x + center, y + center + 4, style, std::to_string(count));
    }
  }
  out += str("<rect x=\"", at(left), "\" y=\"", at(top), "\" width=\"", at(side), "\" height=\"", at(side),
             "\" fill=\"none\" stroke=\"#222222\"/>\n");
  // Room to the right for the last slanted name.
  return svg_file(std::max(left + side + 120, 620.0), top + side + 30, out);
}

std::string xml_text(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const size_t length = byte < 0x80                   ? 1
                          : byte >= 0xc2 && byte < 0xe0 ? 2
                          : byte >= 0xe0 && byte < 0xf0 ? 3
                          : byte >= 0xf0 && byte < 0xf5 ? 4
                                                        : 0;
    bool valid = length > 0 && i + length <= text.size();
    uint32_t code = length == 1 ? byte : byte & (0x7fu >> length);
    for (size_t k = 1; valid && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      valid = (next & 0xc0) == 0x80;
      code = code << 6 | (next & 0x3fu);
    }
    // Too long a form, a surrogate, beyond Unicode, or a character that XML does not allow.
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    valid = valid && code >= kSmallest[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) &&
            code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0xfffe && code != 0xffff;
    if (!valid) {
      out += '?';
      ++i;
      continue;
    }
    switch (text[i]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      default: out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

}  // namespace ghost
