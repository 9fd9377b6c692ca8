#include "html/chart.hpp"

#include <algorithm>
#include <cmath>

#include "html/quantity.hpp"

namespace audiostore::html {
namespace {

// The drawing, in units that are about one pixel on a narrow screen, so that its text is as large as the page's.
constexpr double kWidth = 360;
constexpr double kHeight = 150;
constexpr double kTop = 22;
constexpr double kBottom = 126;
constexpr double kLeft = 2;
constexpr double kRight = 356;

std::string at(double coordinate) { return decimal(coordinate, 1); }

double height_of(double value, double top) {
  return kBottom - (kBottom - kTop) * std::clamp(top > 0 ? value / top : 0, 0.0, 1.0);
}

Markup text_at(double x, double y, const char* anchor, const std::string& text) {
  return element("text", {{"x", at(x)}, {"y", at(y)}, {"text-anchor", anchor}}, text);
}

Markup rule(double y, const char* kind) {
  return element("line", {{"class", kind}, {"x1", "0"}, {"x2", at(kWidth)}, {"y1", at(y)}, {"y2", at(y)}});
}

// Grid, scale, and the ends of the axis of time.
Markup frame(const Chart& chart, double top, const std::string& first, const std::string& last) {
  Markup drawn = rule(kTop, "grid") + rule((kTop + kBottom) / 2, "grid") + rule(kBottom, "axis");
  drawn += text_at(0, kTop - 6, "start", chart.write(top));
  drawn += text_at(0, kBottom + 18, "start", first);
  if (last != first) drawn += text_at(kWidth, kBottom + 18, "end", last);
  return drawn;
}

Markup figure(const Chart& chart, const std::string& description, const Markup& drawing) {
  Element svg("svg", {{"class", "chart"}, {"role", "img"}, {"viewBox", "0 0 " + at(kWidth) + " " + at(kHeight)}});
  svg.add(element("title", {}, chart.title + ": " + chart.headline));
  svg.add(element("desc", {}, description));
  svg.add(drawing);
  return element("figure", {},
                 element("figcaption", {}, element("span", {{"class", "what"}}, chart.title),
                         element("strong", {}, chart.headline), element("span", {{"class", "note"}}, chart.note)),
                 std::move(svg).finish());
}

struct Extremes {
  std::size_t last = 0, largest = 0, smallest = 0;
};

std::optional<Extremes> extremes(const std::vector<Point>& points) {
  std::optional<Extremes> found;
  for (std::size_t i = 0; i < points.size(); i++) {
    if (!points[i].value) continue;
    if (!found) found = Extremes{i, i, i};
    found->last = i;
    if (*points[i].value > *points[found->largest].value) found->largest = i;
    if (*points[i].value < *points[found->smallest].value) found->smallest = i;
  }
  return found;
}

double place_of(std::size_t i, std::size_t size) {
  if (size < 2) return kRight - 4;
  return kLeft + 4 + (kRight - kLeft - 8) * static_cast<double>(i) / static_cast<double>(size - 1);
}

struct Path {
  std::string line;
  std::string dots;  // points without neighbours, which a line would not show
};

Path path_of(const std::vector<Point>& points, double top) {
  Path path;
  for (std::size_t i = 0; i < points.size(); i++) {
    if (!points[i].value) continue;
    bool const begins = i == 0 || !points[i - 1].value;
    bool const ends = i + 1 == points.size() || !points[i + 1].value;
    std::string const place = at(place_of(i, points.size())) + " " + at(height_of(*points[i].value, top));
    path.line += (begins ? "M" : "L") + place;
    if (begins && ends) path.dots += "M" + place + "h0";
  }
  return path;
}

std::string describe(const Chart& chart, const std::vector<Point>& points, const Extremes& found) {
  auto const say = [&](std::size_t i) { return chart.write(*points[i].value) + " (" + points[i].when + ")"; };
  return "From " + points.front().when + " to " + points.back().when + ": last " + say(found.last) + ", lowest " +
         say(found.smallest) + ", highest " + say(found.largest) + ".";
}

}  // namespace

Markup bar(double fraction, const std::string& says) {
  double const filled = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0;
  // What is not nothing is seen.
  double const width = filled > 0 ? std::max(filled * 100, 1.0) : 0;
  return element("svg", {{"class", "bar"}, {"role", "img"}, {"viewBox", "0 0 100 10"}, {"preserveAspectRatio", "none"}},
                 element("title", {}, says), element("rect", {{"class", "whole"}, {"width", "100"}, {"height", "10"}}),
                 element("rect", {{"class", "part"}, {"width", at(width)}, {"height", "10"}}));
}

double round_up(double value) {
  if (!std::isfinite(value) || value <= 0) return 1;
  double const power = std::pow(10, std::floor(std::log10(value)));
  for (double const step : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (value <= step * power * (1 + 1e-9)) return step * power;
  }
  return 10 * power;
}

Markup line_chart(const Chart& chart, const std::vector<Point>& points) {
  std::optional<Extremes> const found = extremes(points);
  if (!found) return {};
  double const top = chart.top.value_or(round_up(*points[found->largest].value));
  Path const path = path_of(points, top);
  double const x = place_of(found->last, points.size());
  double const y = height_of(*points[found->last].value, top);
  Markup drawing = frame(chart, top, points.front().when, points.back().when);
  drawing += element("path", {{"class", "series"}, {"d", path.line}});
  if (!path.dots.empty()) drawing += element("path", {{"class", "lone"}, {"d", path.dots}});
  drawing += element("circle", {{"class", "last"}, {"cx", at(x)}, {"cy", at(y)}, {"r", "4"}});
  return figure(chart, describe(chart, points, *found), drawing);
}

Markup column_chart(const Chart& chart, const std::vector<Pair>& pairs) {
  if (pairs.empty()) return {};
  auto const sum = [](const Pair& pair) { return pair.filled + pair.outlined; };
  auto const largest = std::ranges::max_element(pairs, {}, sum);
  double const top = chart.top.value_or(round_up(sum(*largest)));
  double const step = (kRight - kLeft) / static_cast<double>(pairs.size());
  double const width = std::min(step * 0.72, 28.0);
  Markup drawing = frame(chart, top, pairs.front().when, pairs.back().when);
  for (std::size_t i = 0; i < pairs.size(); i++) {
    double const x = kLeft + step * (static_cast<double>(i) + 0.5) - width / 2;
    double const middle = height_of(pairs[i].filled, top);
    double const upper = height_of(sum(pairs[i]), top);
    auto const part = [&](const char* kind, double from, double to) {
      return from >= to ? Markup()
                        : element("rect", {{"class", kind},
                                           {"x", at(x)},
                                           {"y", at(from)},
                                           {"width", at(width)},
                                           {"height", at(to - from)}});
    };
    drawing += element("g", {}, element("title", {}, pairs[i].says), part("outlined", upper, middle),
                       part("filled", middle, kBottom));
  }
  return figure(chart, "From " + pairs.front().when + " to " + pairs.back().when + ". Most: " + largest->says + ".",
                drawing);
}

}  // namespace audiostore::html
