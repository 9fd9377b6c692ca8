#include "lies.hpp"

#include <cmath>

namespace audiostore::test {
namespace {

std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; i++) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string big(std::uint64_t value, int size) {
  std::string const bytes = little(value, size);
  return {bytes.rbegin(), bytes.rend()};
}

struct Wave {
  std::uint64_t tag = 1;
  std::uint64_t channels = 2;
  std::uint64_t rate = 8000;
  std::uint64_t align = 4;
  std::uint64_t bits = 16;
  std::uint64_t data_size = 8000;
  std::uint64_t fmt_size = 16;
  std::string extra{};  // chunks before the data
};

std::string wave(const Wave& wave, const std::string& samples) {
  std::string const fmt = little(wave.tag, 2) + little(wave.channels, 2) + little(wave.rate, 4) +
                          little(wave.rate * wave.align, 4) + little(wave.align, 2) + little(wave.bits, 2);
  return "RIFF" + little(36 + wave.extra.size() + samples.size(), 4) + "WAVEfmt " + little(wave.fmt_size, 4) + fmt +
         wave.extra + "data" + little(wave.data_size, 4) + samples;
}

std::string rf64(std::uint64_t data_size, std::uint64_t frames) {
  std::string const sizes = little(UINT64_MAX, 8) + little(data_size, 8) + little(frames, 8) + little(0xffffffff, 4);
  Wave const fmt;
  return "RF64" + little(0xffffffff, 4) + "WAVEds64" + little(28, 4) + sizes +
         wave(fmt, std::string(64, 'x')).substr(12);
}

// STREAMINFO and nothing behind it.
std::string flac(std::uint64_t rate, std::uint64_t channels, std::uint64_t frames) {
  std::uint64_t const packed = rate << 44U | (channels - 1) << 41U | std::uint64_t{15} << 36U | frames;
  return "fLaC" + big(0x80000022, 4) + big(16, 2) + big(65535, 2) + std::string(6, '\0') + big(packed, 8) +
         std::string(16, '\0') + std::string(200, '\xff');
}

std::string aiff(std::uint64_t channels, std::uint64_t frames, const std::string& rate) {
  std::string const common = big(channels, 2) + big(frames, 4) + big(16, 2) + rate;
  std::string const sound = "SSND" + big(0xfffffff0, 4) + std::string(8, '\0') + std::string(64, 'x');
  return "FORM" + big(0xffffffff, 4) + "AIFFCOMM" + big(18, 4) + common + sound;
}

std::string au(std::uint64_t offset, std::uint64_t size, std::uint64_t coding, std::uint64_t rate,
               std::uint64_t channels) {
  return ".snd" + big(offset, 4) + big(size, 4) + big(coding, 4) + big(rate, 4) + big(channels, 4) +
         std::string(100, 'x');
}

std::string caf(std::uint64_t chunk_size, std::uint64_t channels, std::uint64_t bytes_per_packet) {
  std::string const rate = std::string("\x40\xbf\x40", 3) + std::string(5, '\0');  // 8000.0
  return "caff" + big(1, 2) + big(0, 2) + "desc" + big(32, 8) + rate + "lpcm" + big(0, 4) + big(bytes_per_packet, 4) +
         big(1, 4) + big(channels, 4) + big(16, 4) + "data" + big(chunk_size, 8) + std::string(100, 'x');
}

std::string ogg_page(std::uint64_t granule, const std::string& packet) {
  return std::string("OggS") + '\0' + '\x02' + little(granule, 8) + little(1, 4) + little(0, 4) + little(0, 4) +
         '\x01' + static_cast<char>(packet.size()) + packet;
}

// Chunks of no length, one after the other: a reader that does not move on never ends.
std::string many_chunks(const char* name) {
  std::string chunks;
  for (int i = 0; i < 50000; i++) chunks += name + little(0, 4);
  return chunks;
}

}  // namespace

std::string honest_wav() {
  std::string samples;
  for (int i = 0; i < 2000; i++) {
    for (int const hertz : {440, 660}) {
      auto const sample = static_cast<std::int16_t>(9000 * std::sin(2 * M_PI * hertz * i / 8000));
      samples += little(static_cast<std::uint16_t>(sample), 2);
    }
  }
  return wave({}, samples);
}

std::vector<Seed> hand_made_lies() {
  std::string const few(64, 'x');
  std::string const infinite_rate = std::string("\x7f\xff", 2) + std::string(8, '\0');
  return {
      {"no channels", wave({.channels = 0}, few)},
      {"65535 channels", wave({.channels = 65535}, few)},
      {"no rate", wave({.rate = 0}, few)},
      {"2^32 - 1 Hz", wave({.rate = 0xffffffff}, few)},
      {"no alignment", wave({.align = 0}, few)},
      {"no bits", wave({.bits = 0}, few)},
      {"65535 bits", wave({.bits = 65535}, few)},
      {"data without end", wave({.data_size = 0xffffffff}, few)},
      {"format without end", wave({.fmt_size = 0xffffffff}, few)},
      {"ADPCM without a block", wave({.tag = 17, .align = 0, .bits = 4}, few)},
      {"ADPCM of large blocks", wave({.tag = 2, .align = 65535, .bits = 4}, few)},
      {"GSM", wave({.tag = 49, .align = 65535, .bits = 0}, few)},
      {"chunks without length", wave({.extra = many_chunks("junk")}, few)},
      {"lists without length", wave({.extra = many_chunks("LIST")}, few)},
      {"cue points without end",
       wave({.extra = "cue " + little(28, 4) + little(0xffffffff, 4) + few.substr(0, 24)}, few)},
      {"a list that is its own end",
       wave({.extra = "LIST" + little(0xffffffff, 4) + "INFOINAM" + little(0xffffffff, 4)}, few)},
      {"2^63 bytes", rf64(std::uint64_t{1} << 63U, 1)},
      {"2^64 - 1 frames", rf64(UINT64_MAX, UINT64_MAX)},
      {"2^36 - 1 frames of FLAC", flac(48000, 8, (std::uint64_t{1} << 36U) - 1)},
      {"FLAC without a rate", flac(0, 2, 1000)},
      {"65535 channels in AIFF", aiff(65535, 0xffffffff, infinite_rate)},
      {"an infinite rate", aiff(2, 16, infinite_rate)},
      {"2^31 channels", au(24, 100, 3, 8000, 0x80000000)},
      {"a header beyond the end", au(0xffffffff, 100, 3, 8000, 2)},
      {"2^32 - 1 bytes of samples", au(24, 0xffffffff, 23, 0, 1)},
      {"2^32 - 1 channels", caf(UINT64_MAX, 0xffffffff, 0xffffffff)},
      {"CAF of 2^63 - 1 bytes", caf(INT64_MAX, 2, 4)},
      {"Vorbis of no blocks", ogg_page(UINT64_MAX, std::string("\x01vorbis", 7) + little(0, 4) + "\xff" +
                                                       little(0xffffffff, 4) + std::string(14, '\0'))},
      {"Opus of 255 channels", ogg_page(INT64_MAX, "OpusHead\x01\xff" + little(65535, 2) + little(0, 4) + little(0, 2) +
                                                       "\xff\xff\xff" + std::string(40, '\xff'))},
      {"ID3 of 256 MB", "ID3" + std::string("\x04\0\0", 3) + "\x7f\x7f\x7f\x7f" + few},
      {"MPEG of one header", std::string("\xff\xfb\x90\x44", 4) + std::string(2000, '\xff')},
      {"an MP4 box around itself",
       big(0, 4) + "ftypM4A " + big(0, 4) + "M4A " + big(1, 4) + "moov" + big(UINT64_MAX, 8) + few},
      {"EBML of unknown size", std::string("\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xffwebm", 16) + few},
      {"one byte", "R"},
      {"nothing", ""},
  };
}

}  // namespace audiostore::test
