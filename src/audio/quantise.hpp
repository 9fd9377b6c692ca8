// Rounding to the steps of 16 or 24 bits. What would surprise you: the dither is a function of the sample's number, so
// the same input gives the same bytes every time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace audiostore::audio {

// samples become what was rounded to, steps the same in the upper bits of 32. Dither is triangular, two steps wide;
// digital silence stays silent.
void quantise(float* samples, std::size_t count, int bit_depth, bool dither, std::uint64_t first_sample, int* steps);

}  // namespace audiostore::audio
