// perform() on files in memory, as the decoder process calls it.
#pragma once

#include <cstdint>
#include <string>

#include "audio/perform.hpp"
#include "signal.hpp"

namespace audiostore::audio {

struct Answer {
  wire::Reply reply;
  std::string output;
};

wire::Request request(wire::Operation operation, wire::Format format = wire::Format::wav);

// All of the bytes given, the libav reader at hand.
Answer call(const std::string& bytes, const wire::Request& request);

// Only the head and the tail filled in, no other reader.
wire::Reply call_window(const std::string& bytes, wire::Request request, std::uint64_t head, std::uint64_t tail);

// A WAV file with samples of 16, 24 or 32 bits (float).
std::string wav(const Signal& signal, int bit_depth = 16);

// The first channel and all others of a WAV that perform() wrote, through another call of it.
Signal decoded(const std::string& bytes);

std::string read_file(const std::string& path);

// What a command prints, empty where it fails; its input is a file with these bytes, named $INPUT.
std::string run_with_input(const std::string& command, const std::string& bytes);

bool has_ffmpeg();

}  // namespace audiostore::audio
