// Headers written by hand that promise what nobody can keep: channels without number, no rate, chunks without end,
// little that unpacks to much.
#pragma once

#include <vector>

#include "mutate.hpp"

namespace audiostore::test {

// A quarter of a second of two sines, stereo, 16 bits, 8 kHz.
std::string honest_wav();

std::vector<Seed> hand_made_lies();

}  // namespace audiostore::test
