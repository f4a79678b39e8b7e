#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "train/detection_plots.h"
#include "train/svg_plot.h"

namespace ghost {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

// "" where every tag is closed in order and every attribute is quoted, else the place.
std::string broken_xml(const std::string& text) {
  std::vector<std::string> open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '>') return "a stray '>' at " + text.substr(i, 40);
    if (text[i] == '&' && text.find(';', i) > i + 6) return "a stray '&' at " + text.substr(i, 40);
    if (text[i] != '<') continue;
    const size_t end = text.find('>', i);
    if (end == std::string::npos) return "an open tag";
    const std::string tag = text.substr(i + 1, end - i - 1);
    if (tag.find('<') != std::string::npos) return "a tag within a tag: " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" \n/", 1));
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != tag) return "closed out of order: " + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    i = end;
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

size_t count(const std::string& text, const std::string& part) {
  size_t result = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++result;
  return result;
}

TEST(Svg, DrawsCurves) {
  const std::string svg = svg_curves(
      {{"Loss", "epoch", "cross entropy", {{"train", {1, 2, 3}, {2.5, 1.5, 1}}, {"val", {1, 2, 3}, {2.4, 1.6, 1.2}}}},
       {"Learning rate", "epoch", "rate", {{"lr", {1, 2, 3}, {1e-5, 2e-5, 1.5e-5}}}}});
  EXPECT_EQ(broken_xml(svg), "");
  for (const char* part :
       {">Loss<", ">cross entropy<", ">train<", ">val<", ">Learning rate<", ">2e-05<", "#0072b2", "#d55e00"}) {
    EXPECT_THAT(svg, HasSubstr(part));
  }
  EXPECT_EQ(count(svg, "<polyline"), 3u);
  EXPECT_THAT(svg, Not(HasSubstr("href"))) << "needs another file";
}

TEST(Svg, PlacesPointsByTheirValues) {
  // One curve from (0, 0) to (10, 1): x runs over the frame's width, 80 to 590; y keeps a margin of 1/22 of its height.
  const std::string svg = svg_curves({{"t", "x", "y", {{"c", {0, 10}, {0, 1}}}}});
  EXPECT_THAT(svg, HasSubstr("points=\"80.00,240.45 590.00,49.55\""));
}

TEST(Svg, LeavesGapsForWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::string svg = svg_curves({{"t", "x", "y", {{"c", {1, 2, 3, 4, 5, 6}, {1, 2, nan, 4, 5, inf}}}}});
  EXPECT_EQ(count(svg, "<polyline"), 2u);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Svg, DrawsOddData) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(svg_curves({{"t", "x", "y", {{"c", {1}, {nan}}}}}), HasSubstr("no data"));
  for (const std::vector<double>& y :
       {std::vector<double>{0, 0}, {5, 5}, {1e99, -1e99}, {1e300, 1}, {-1e-300, 1e-300}, {1, 1 + 1e-15}}) {
    const std::string svg = svg_curves({{"t", "x", "y", {{"c", {1, 1}, y}}}});
    EXPECT_EQ(broken_xml(svg), "");
    EXPECT_THAT(svg, Not(HasSubstr("nan"))) << y[0];
    EXPECT_THAT(svg, Not(HasSubstr("inf"))) << y[0];
    EXPECT_LT(svg.size(), 20000u);
  }
  EXPECT_EQ(broken_xml(svg_curves({})), "");
}

TEST(Svg, DrawsAConfusionMatrix) {
  const std::string svg = svg_confusion({"cat", "dog & <pup>"}, {8, 2, 0, 5});
  EXPECT_EQ(broken_xml(svg), "");
  EXPECT_EQ(count(svg, ">cat<"), 2u);
  EXPECT_EQ(count(svg, ">dog &amp; &lt;pup&gt;<"), 2u);
  EXPECT_THAT(svg, HasSubstr(">8<"));
  EXPECT_THAT(svg, HasSubstr("fill=\"#084081\"")) << "5 of 5 is the darkest";
  EXPECT_THAT(svg, HasSubstr("fill=\"#ced9e6\"")) << "2 of 10";
  EXPECT_EQ(count(svg, "stroke=\"#222222\""), 1u);
}

TEST(Svg, DrawsADetectorsConfusion) {
  const std::string svg = svg_confusion({"cat", "dog"}, {8, 0, 3, 1, 7, 0, 41, 0, 0}, true);
  EXPECT_EQ(broken_xml(svg), "");
  EXPECT_EQ(count(svg, ">background<"), 2u);
  for (const char* number : {">8<", ">3<", ">41<"}) EXPECT_EQ(count(svg, number), 1u);
  EXPECT_EQ(broken_xml(svg_confusion({}, {0}, true)), "");
}

TEST(Svg, SharesRunFromZeroToOne) {
  const std::string svg = svg_curves({{"t", "x", "y", {{"c", {0.5, 1}, {0, 0.5}}}, true}});
  EXPECT_THAT(svg, HasSubstr("points=\"335.00,250.00 590.00,145.00\""));
}

TEST(Svg, LegendStaysWithinItsPlot) {
  Plot plot{"t", "x", "y", {}};
  for (int i = 0; i < 80; ++i) plot.curves.push_back({"class " + std::to_string(i), {0, 1}, {0, 1.0 + i}});
  plot.curves.push_back({"mean", {0, 1}, {0, 40}, true});
  const std::string svg = svg_curves({plot});
  EXPECT_EQ(broken_xml(svg), "");
  EXPECT_EQ(count(svg, "<polyline"), 81u);
  EXPECT_THAT(svg, HasSubstr(">and 72 more<"));
  EXPECT_THAT(svg, HasSubstr(">mean<"));
  EXPECT_THAT(svg, HasSubstr(">class 7<"));
  EXPECT_THAT(svg, Not(HasSubstr(">class 8<")));
}

TEST(Svg, DrawsPrecisionAndRecall) {
  // Class 1 has no truth. Class 0: precision 1 up to recall 0.5, then 0.75 up to 0.75: a mean of (51 + 25 * 0.75) /
  // 101.
  const std::vector<PrecisionRecall> curves{
      {.score = {0.9, 0.5, 0.4}, .precision = {1, 0.6, 0.75}, .recall = {0.5, 0.5, 0.75}, .truths = 4},
      {.score = {0.3}, .precision = {0}, .recall = {0}, .truths = 0}};
  const std::string svg = svg_precision_recall({"cat", "dog"}, curves);
  EXPECT_EQ(broken_xml(svg), "");
  EXPECT_EQ(count(svg, ">0.691 cat<"), 1u);
  EXPECT_EQ(count(svg, ">0.750 mean<"), 1u) << "the best F1";
  EXPECT_THAT(svg, Not(HasSubstr("dog")));
  EXPECT_EQ(count(svg, "<polyline"), 8u);
  for (const char* part : {">precision over recall<", ">F1 over score<", ">recall over score<"})
    EXPECT_THAT(svg, HasSubstr(part));
  EXPECT_EQ(count(svg_precision_recall({}, {}), "no data"), 4u);
  EXPECT_EQ(broken_xml(svg_precision_recall({"a"}, {{.score = {}, .precision = {}, .recall = {}, .truths = 3}})), "");
}

TEST(Svg, AThousandClassesStayAPicture) {
  const size_t n = 1000;
  std::vector<int64_t> counts(n * n, 0);
  for (size_t i = 0; i < n; ++i) counts[i * n + i] = 50;
  const std::string svg = svg_confusion(std::vector<std::string>(n, "name"), counts);
  EXPECT_EQ(broken_xml(svg), "");
  EXPECT_LT(svg.size(), 200000u);
  EXPECT_THAT(svg, Not(HasSubstr(">name<")));
  EXPECT_EQ(broken_xml(svg_confusion({}, {})), "");
}

TEST(Svg, EscapesText) {
  EXPECT_EQ(xml_text("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&apos;");
  EXPECT_EQ(xml_text("\x01\x1b[\x7f"), "??[?");
  EXPECT_EQ(xml_text("\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80"), "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80");
  EXPECT_EQ(xml_text("\xff \xc3 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xe4\xb8"), "? ? ??? ?? ???? ??");
  EXPECT_EQ(xml_text("\xe4"), "?");
}

}  // namespace
}  // namespace ghost
