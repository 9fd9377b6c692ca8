// Charts in SVG that say their numbers: in text beside or inside the drawing, and in <title> and <desc> for those who
// hear the page. No chart needs its colours: series differ in shape, and what is outlined is named.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "html/markup.hpp"

namespace audiostore::html {

// A bar from the left that fills this part (0 to 1) of its place. `says`: what it shows, in words and figures.
Markup bar(double fraction, const std::string& says);

struct Point {
  std::string when;             // e.g. 26 Nov
  std::optional<double> value;  // nothing: a gap
};

using Write = std::string (*)(double);

struct Chart {
  std::string title;            // what is drawn
  std::string headline;         // the one number that counts, large
  std::string note;             // what it is, in a few words
  Write write;                  // writes a value of the axis
  std::optional<double> top{};  // of the axis; default: a round number above the largest value
};

// A line through points that are equally far from each other.
Markup line_chart(const Chart& chart, const std::vector<Point>& points);

// Columns of two parts, one on the other: the lower one is filled, the upper one outlined.
struct Pair {
  std::string when;
  double filled = 0;
  double outlined = 0;
  std::string says;
};
Markup column_chart(const Chart& chart, const std::vector<Pair>& pairs);

// A round number, such as 1, 1.5, 2 or 2.5 times a power of ten, that is not smaller.
double round_up(double value);

}  // namespace audiostore::html
