#include "audio/encoder.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "audio/quantise.hpp"
#include "audio/samples.hpp"
#include "audio/sound_file.hpp"
#include "audio/sound_format.hpp"

namespace audiostore::audio {

namespace {

using wire::Format;

// Sizes in a plain WAV have 32 bits; some room is left for chunks.
constexpr std::uint64_t kMostWavBytes = 0xFFFF0000;

constexpr std::array kOpusRates = {8000, 12000, 16000, 24000, 48000};
constexpr std::array kMp3Rates = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};

const char* format_name(Format format) {
  switch (format) {
    case Format::flac: return "FLAC";
    case Format::ogg: return "Ogg Vorbis";
    case Format::opus: return "Opus";
    case Format::mp3: return "MP3";
    default: return "WAV";
  }
}

int most_channels(Format format) {
  switch (format) {
    case Format::mp3: return 2;
    case Format::flac:
    case Format::opus: return 8;
    default: return wire::kMostChannels;
  }
}

bool large(const Target& target) {
  const auto frame_bytes =
      static_cast<std::uint64_t>(target.channels) * static_cast<std::uint64_t>(target.bit_depth / 8);
  return target.format == Format::wav &&
         target.expected_frames > kMostWavBytes / std::max<std::uint64_t>(frame_bytes, 1);
}

int sound_format(const Target& target, bool large_file) {
  const int pcm = target.bit_depth == 16 ? SF_FORMAT_PCM_16 : SF_FORMAT_PCM_24;
  switch (target.format) {
    case Format::flac: return SF_FORMAT_FLAC | pcm;
    case Format::ogg: return SF_FORMAT_OGG | SF_FORMAT_VORBIS;
    case Format::opus: return SF_FORMAT_OGG | SF_FORMAT_OPUS;
    case Format::mp3: return SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
    default: break;
  }
  if (large_file) return SF_FORMAT_RF64 | pcm;
  return (target.channels > 2 ? SF_FORMAT_WAVEX : SF_FORMAT_WAV) | pcm;
}

// libsndfile takes one level from 0 to 1, each codec with a scale of its own.
double level_of_bitrate(Format format, int kbps, int sample_rate, int channels) {
  if (format == Format::opus) return (256.0 - static_cast<double>(kbps) / channels) / 250.0;
  if (format == Format::mp3) {
    if (sample_rate >= 32000) return (320.0 - kbps) / (320.0 - 32.0);
    if (sample_rate >= 16000) return (160.0 - kbps) / (160.0 - 8.0);
    return (64.0 - kbps) / (64.0 - 8.0);
  }
  // Vorbis has qualities; these are the nominal bitrates of qualities 0 to 10 for two channels at 44.1 kHz.
  constexpr std::array<double, 11> kNominal = {64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500};
  const double wanted = static_cast<double>(kbps) * 2.0 / channels * std::max(1.0, 44100.0 / sample_rate);
  std::size_t quality = 0;
  while (quality + 2 < kNominal.size() && kNominal[quality + 1] <= wanted) ++quality;
  const double between = (wanted - kNominal[quality]) / (kNominal[quality + 1] - kNominal[quality]);
  return 1.0 - (static_cast<double>(quality) + between) / 10.0;
}

void check_carried(const Target& target) {
  if (target.channels > most_channels(target.format))
    throw invalid_argument(std::string(format_name(target.format)) + " carries no more than " +
                               std::to_string(most_channels(target.format)) + " channels",
                           "there are " + std::to_string(target.channels));
  if (carried_sample_rate(target.format, target.sample_rate) != target.sample_rate)
    throw invalid_argument(std::string(format_name(target.format)) + " does not carry a sample rate of " +
                           std::to_string(target.sample_rate) + " Hz");
}

template <typename Rates>
int nearest(const Rates& rates, int sample_rate) {
  for (const int rate : rates)
    if (rate >= sample_rate) return rate;
  return rates.back();
}

}  // namespace

bool lossless(Format format) { return format == Format::wav || format == Format::flac; }

Format kept_format(const wire::Info& source) {
  switch (source.codec) {
    case wire::Codec::flac: return Format::flac;
    case wire::Codec::vorbis: return Format::ogg;
    case wire::Codec::opus: return Format::opus;
    case wire::Codec::mp3: return Format::mp3;
    default: return Format::wav;
  }
}

int kept_bit_depth(const wire::Info& source) { return source.bit_depth > 16 ? 24 : 16; }

int carried_sample_rate(Format format, int sample_rate) {
  if (format == Format::opus) return nearest(kOpusRates, sample_rate);
  if (format == Format::mp3) return nearest(kMp3Rates, sample_rate);
  // Beyond 16 bits FLAC counts in steps of 10 Hz.
  if (format == Format::flac) return sample_rate > 65535 ? std::min(sample_rate / 10 * 10, 655350) : sample_rate;
  if (format == Format::ogg) return std::min(sample_rate, 192000);
  return sample_rate;
}

Encoder::Encoder(int descriptor, const Target& target)
    : target_(target), bytes_(descriptor, target.max_bytes), large_(large(target)) {
  check_carried(target);
  if (::ftruncate(descriptor, static_cast<off_t>(bytes_.origin())) != 0)
    throw Failure(wire::Status::failed, "could not empty the output");
  SF_INFO format{};
  format.samplerate = target.sample_rate;
  format.channels = target.channels;
  format.format = sound_format(target, large_);
  SF_VIRTUAL_IO callbacks = VirtualOutput::callbacks();
  file_.reset(sf_open_virtual(&callbacks, SFM_WRITE, &format, &bytes_));
  bytes_.rethrow();
  if (file_ == nullptr)
    throw Failure(wire::Status::unsupported, std::string("could not write ") + format_name(target.format),
                  sf_strerror(nullptr));
  set_bitrate();
  if (target.tags != nullptr) set_tags(*target.tags);
}

void Encoder::set_bitrate() {
  if (lossless(target_.format)) return;
  if (target_.format == Format::mp3) {
    int mode = SF_BITRATE_MODE_CONSTANT;
    sf_command(file_.get(), SFC_SET_BITRATE_MODE, &mode, sizeof mode);
  }
  if (target_.bitrate_kbps == 0) return;
  const double wanted = level_of_bitrate(target_.format, target_.bitrate_kbps, target_.sample_rate, target_.channels);
  double level = std::clamp(wanted, 0.0, 1.0);
  sf_command(file_.get(), SFC_SET_COMPRESSION_LEVEL, &level, sizeof level);
}

void Encoder::set_tags(const wire::Info& tags) {
  constexpr std::array<std::pair<int, wire::Tag>, 9> kTags = {{
      {SF_STR_TITLE, wire::Tag::title},
      {SF_STR_ARTIST, wire::Tag::artist},
      {SF_STR_ALBUM, wire::Tag::album},
      {SF_STR_DATE, wire::Tag::date},
      {SF_STR_GENRE, wire::Tag::genre},
      {SF_STR_TRACKNUMBER, wire::Tag::track},
      {SF_STR_COMMENT, wire::Tag::comment},
      {SF_STR_COPYRIGHT, wire::Tag::copyright},
      {SF_STR_LICENSE, wire::Tag::license},
  }};
  for (const auto& [number, tag] : kTags) {
    const char* text = tags.tags[static_cast<std::size_t>(tag)].data();
    if (*text != '\0') sf_set_string(file_.get(), number, text);  // not every format has every tag
  }
}

void Encoder::write(std::span<float> interleaved) {
  const auto frames = static_cast<sf_count_t>(interleaved.size() / static_cast<std::size_t>(target_.channels));
  sf_count_t written = 0;
  if (lossless(target_.format)) {
    steps_.resize(interleaved.size());
    quantise(interleaved.data(), interleaved.size(), target_.bit_depth, target_.dither,
             frames_ * static_cast<std::uint64_t>(target_.channels), steps_.data());
    written = sf_writef_int(file_.get(), steps_.data(), frames);
  } else {
    clip(interleaved.data(), interleaved.size());  // LAME ends the process over samples far beyond full scale
    written = sf_writef_float(file_.get(), interleaved.data(), frames);
  }
  bytes_.rethrow();
  if (written != frames) throw Failure(wire::Status::failed, "could not encode", sf_strerror(file_.get()));
  frames_ += static_cast<std::uint64_t>(frames);
  const std::uint64_t most = large_ || target_.format != Format::wav ? UINT64_MAX : kMostWavBytes;
  if (bytes_.size() > most)
    throw Failure(wire::Status::too_large, "result is too large", "the audio is longer than its header says");
}

void Encoder::finish() {
  const int error = sf_close(file_.release());
  bytes_.rethrow();
  if (error != 0) throw Failure(wire::Status::failed, "could not encode", sf_error_number(error));
  // FLAC and MP3 begin with their first frame.
  if (bytes_.size() == 0)
    throw invalid_argument(std::string(format_name(target_.format)) + " cannot hold audio without a sample");
}

wire::Info Encoder::info() const {
  const int format = sound_format(target_, large_);
  wire::Info info{};
  info.container = container_of(format);
  info.codec = codec_of(format);
  info.frames = frames_;
  info.sample_rate = target_.sample_rate;
  info.channels = target_.channels;
  info.bit_depth = lossless(target_.format) ? target_.bit_depth : 0;
  info.duration_seconds = static_cast<double>(frames_) / target_.sample_rate;
  info.bitrate = average_bitrate(bytes_.size(), info.duration_seconds);
  return info;
}

}  // namespace audiostore::audio
