// Both areas are drawn along their upper edge from the left and back along the lower one. An edge goes through the
// middles between neighbouring points with the points themselves as control points of quadratic curves: round, and
// never beyond what was measured.
#include "mastering/drawing.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <string_view>

namespace audiostore::mastering {
namespace {

// Silence is a line, not nothing.
constexpr double kLeastHalfHeight = 0.5;

class Path {
 public:
  Path& command(char letter) {
    text_ += letter;
    fresh_ = true;
    return *this;
  }
  // Tenths are finer than what can be seen.
  Path& point(double x, double y) { return number(x).number(y); }
  std::string take() { return std::move(text_); }

 private:
  Path& number(double value) {
    char digits[32];
    double const rounded = std::round(value * 10) / 10;
    auto const end = std::to_chars(std::begin(digits), std::end(digits), rounded == 0 ? 0.0 : rounded);
    if (!fresh_) text_ += ' ';
    fresh_ = false;
    text_.append(digits, end.ptr);
    return *this;
  }

  std::string text_;
  bool fresh_ = true;
};

using Edge = std::function<double(std::size_t index)>;  // y of a point

struct Canvas {
  std::size_t points;
  double width, height;

  double x(std::size_t index) const { return width * (static_cast<double>(index) + 0.5) / static_cast<double>(points); }
  double middle() const { return height / 2; }
  // Of an amplitude; what is beyond full scale ends at the border.
  double y(double amplitude) const { return middle() * (1 - std::clamp(amplitude, -1.0, 1.0)); }
};

void follow(Path& path, const Canvas& canvas, const Edge& edge, bool backwards) {
  for (std::size_t i = 0; i + 1 < canvas.points; i++) {
    std::size_t const here = backwards ? canvas.points - 1 - i : i;
    std::size_t const next = backwards ? here - 1 : here + 1;
    path.command('Q').point(canvas.x(here), edge(here));
    path.point((canvas.x(here) + canvas.x(next)) / 2, (edge(here) + edge(next)) / 2);
  }
  std::size_t const last = backwards ? 0 : canvas.points - 1;
  path.command('T').point(canvas.x(last), edge(last));
}

std::string area(const Canvas& canvas, const Edge& upper, const Edge& lower) {
  Path path;
  path.command('M').point(0, upper(0)).command('L').point(canvas.x(0), upper(0));
  follow(path, canvas, upper, false);
  path.command('L').point(canvas.width, upper(canvas.points - 1));
  path.command('L').point(canvas.width, lower(canvas.points - 1));
  path.command('L').point(canvas.x(canvas.points - 1), lower(canvas.points - 1));
  follow(path, canvas, lower, true);
  path.command('L').point(0, lower(0)).command('Z');
  return path.take();
}

}  // namespace

std::string draw(const Waveform& waveform, int width, int height) {
  Canvas const canvas{waveform.maximum.size(), static_cast<double>(width), static_cast<double>(height)};
  std::string const size = std::to_string(width) + R"(" height=")" + std::to_string(height);
  std::string svg = R"(<svg xmlns="http://www.w3.org/2000/svg" width=")" + size + R"(" viewBox="0 0 )" +
                    std::to_string(width) + " " + std::to_string(height) +
                    R"(" preserveAspectRatio="none" role="img" aria-label="waveform" fill="currentColor">)";
  if (canvas.points > 0) {
    auto const above = [&](double y) { return std::min(y, canvas.middle() - kLeastHalfHeight); };
    auto const below = [&](double y) { return std::max(y, canvas.middle() + kLeastHalfHeight); };
    auto const top = [&](std::size_t i) { return above(canvas.y(waveform.maximum[i])); };
    auto const bottom = [&](std::size_t i) { return below(canvas.y(waveform.minimum[i])); };
    // Where one side is quieter than the mean of both, the body ends with that side.
    auto const body_top = [&](std::size_t i) { return std::max(top(i), above(canvas.y(waveform.rms[i]))); };
    auto const body_bottom = [&](std::size_t i) { return std::min(bottom(i), below(canvas.y(-waveform.rms[i]))); };
    svg += R"(<path fill-opacity=".4" d=")" + area(canvas, top, bottom) + R"("/>)";
    svg += R"(<path d=")" + area(canvas, body_top, body_bottom) + R"("/>)";
  }
  return svg + "</svg>";
}

}  // namespace audiostore::mastering
