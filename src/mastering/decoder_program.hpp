// Where this server's decoder programs are, and what a call may take.
#pragma once

#include <cstdint>
#include <string>

#include "sandbox/decoder.hpp"

namespace audiostore::mastering {

// Beside the module.
std::string decoder_directory();

// By the settings decoder_timeout and decoder_memory; large inputs get more time.
sandbox::Limits decoder_limits(std::uint64_t input_bytes);

// What one master may have, as WAV: some 40 hours in stereo at 48 kHz and 24 bits.
constexpr std::uint64_t kMostFinalBytes = std::uint64_t{40} << 30;

}  // namespace audiostore::mastering
