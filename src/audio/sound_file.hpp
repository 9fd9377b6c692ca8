// The reader for what libsndfile knows. What would surprise you: opening is header work only, so what info() says about
// length is what the file claims; whoever reads to the end learns the truth there.
#pragma once

#include <memory>

#include "audio/sniff.hpp"
#include "audio/source.hpp"

namespace audiostore::audio {

// Throws Failure; unsupported where libsndfile knows the container and not the codec.
std::unique_ptr<Source> open_sound_file(const Input& input, wire::Container container);

// Throws damaged where a header's figures make no sense. For every reader.
void check_plausible(const wire::Info& info);

// bit/s of the whole file.
std::int32_t average_bitrate(std::uint64_t bytes, double seconds);

// UTF-8, cut at a whole character; bytes that are no UTF-8 are taken for Latin-1.
void set_tag(wire::Info& info, wire::Tag tag, const char* text);

// NaN becomes 0, what is beyond kMostAmplitude is cut there.
void make_finite(std::span<float> samples);

}  // namespace audiostore::audio
