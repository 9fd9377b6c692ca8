// A waveform as a picture: one SVG document without scripts, styles or references, in the colour of the text around it.
#pragma once

#include <span>
#include <string>

namespace audiostore::mastering {

struct Waveform {
  std::span<const float> minimum, maximum, rms;  // of equal length, full scale 1
};

// Width and height are those of its coordinates; it stretches to whatever size it is shown at.
std::string draw(const Waveform& waveform, int width, int height);

}  // namespace audiostore::mastering
