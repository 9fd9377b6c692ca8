// What travels between a server process and the decoder: one request, one reply, each a record of fixed layout, so that
// whoever reads one can check it as a whole. The audio itself travels as descriptors beside the request. Both ends
// are built from this file; the version catches a helper that was left behind by an upgrade. What would surprise you:
// the reply comes from a process that has read hostile bytes. sandbox/validate.cpp is the only reader that may look
// at a reply before it is checked.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace audiostore::audio::wire {

constexpr std::uint32_t kRequestMagic = 0x41535251;  // "ASRQ"
constexpr std::uint32_t kReplyMagic = 0x41535250;    // "ASRP"
constexpr std::uint32_t kVersion = 1;

enum class Operation : std::uint32_t {
  info = 1,   // Reply::info; reads headers only
  measure,    // info, loudness, shape
  master,     // mastered audio to the output; info, loudness (before), mastering, shape (of the result)
  transcode,  // audio in another format to the output
  slice,      // [start, end) to the output
  trim,       // without leading and trailing silence to the output
  waveform,   // points times {minimum, maximum, rms} as float to the output, in that order, each array whole
};

enum class Format : std::uint32_t { keep = 0, wav, flac, ogg, opus, mp3 };

enum class Container : std::uint32_t {
  unknown = 0,
  wav,
  rf64,
  w64,
  flac,
  ogg,
  mp3,
  aiff,
  caf,
  au,
  mp4,
  matroska,
  webm
};

enum class Codec : std::uint32_t {
  unknown = 0,
  pcm_s8,
  pcm_u8,
  pcm_s16,
  pcm_s24,
  pcm_s32,
  pcm_f32,
  pcm_f64,
  ulaw,
  alaw,
  ima_adpcm,
  ms_adpcm,
  gsm,
  g72x,
  alac,
  flac,
  vorbis,
  opus,
  mp3,
  aac,
  other
};

enum class Status : std::uint32_t {
  ok = 0,
  needs_whole_input,   // the window given was not enough: send all of it
  needs_other_reader,  // not for libsndfile: ask the decoder that has libavformat
  not_audio,           // of no container that we know; raw PCM is here too
  damaged,             // a known container whose content makes no sense
  unsupported,         // a known container with what we do not read: named in message
  invalid_argument,    // parameters that do not fit this audio (a slice beyond its end, a rate the codec lacks)
  too_large,           // the output would pass Request::max_output
  out_of_memory,
  failed  // a bug of ours, or a library's
};

// The input descriptor has `size` bytes, of which only [0, head) and [size - tail, size) are filled in when
// head + tail < size; the rest reads as zeros and must not be looked at: needs_whole_input.
struct Input {
  std::uint64_t size;
  std::uint64_t head;
  std::uint64_t tail;
};

struct Request {
  std::uint32_t magic;
  std::uint32_t version;
  Operation operation;
  Format format;  // of the output; keep: the input's where it can be written, else wav
  Input input;
  std::uint64_t max_output;   // bytes
  double target_lufs;         // master
  double max_true_peak_dbtp;  // master
  double start_seconds;       // slice
  double end_seconds;         // slice; infinity: to the end
  double threshold_dbfs;      // trim: what is quieter is silence
  double padding_seconds;     // trim: silence that stays at each end
  std::int32_t bitrate_kbps;  // 0: the encoder's default
  std::int32_t sample_rate;   // 0: the input's
  std::int32_t channels;      // 0: the input's
  std::int32_t points;        // waveform
};

enum class Tag : std::uint32_t { title, artist, album, date, genre, track, comment, copyright, license, software };
constexpr std::size_t kTags = 10;
constexpr std::size_t kTagBytes = 256;  // with the NUL at its end; longer ones are cut at a whole character

struct Info {
  Container container;
  Codec codec;
  double duration_seconds;
  std::uint64_t frames;
  std::int32_t sample_rate;  // Hz
  std::int32_t channels;
  std::int32_t bit_depth;                               // of a sample; 0 where the codec has none
  std::int32_t bitrate;                                 // bit/s, of the whole file over its duration; 0: unknown
  std::array<std::array<char, kTagBytes>, kTags> tags;  // UTF-8, empty: absent
};

// Decibels may be -infinity (digital silence). `gated` is 0 where no block passes the absolute gate: silence, or less
// than 400 ms; integrated and range mean nothing then.
struct Loudness {
  std::uint32_t gated;
  std::uint32_t reserved;
  double integrated_lufs;      // BS.1770-4
  double range_lu;             // EBU Tech 3342
  double max_momentary_lufs;   // 400 ms
  double max_short_term_lufs;  // 3 s
  double true_peak_dbtp;       // BS.1770-4 Annex 2
  double sample_peak_dbfs;
};

// What a rule about broken audio asks for.
struct Shape {
  std::int64_t clipped_samples;  // in runs of 3 or more at full scale, all channels together
  double silence_seconds;        // all of it: stretches of 100 ms or more below -60 dBFS
  double leading_silence_seconds;
  double trailing_silence_seconds;
  double longest_silence_seconds;
  double dc_offset;  // largest mean of a channel, full scale 1
};

enum class Outcome : std::uint32_t {
  none = 0,
  gain,               // one static gain, nothing else
  limited,            // the same, and the limiter where it would have passed the ceiling
  silence,            // nothing passes the gate: written as it was
  too_short,          // under 400 ms, not measurable: written as it was
  target_not_reached  // the loudest that the ceiling allows without turning into something else
};

struct Mastering {
  Outcome outcome;
  std::uint32_t reserved;
  double gain_db;           // static
  double max_reduction_db;  // deepest cut of the limiter; 0: it did nothing
  double limited_seconds;   // time in which it cut more than 0.1 dB
  Loudness after;           // of the encoded result, measured again
};

struct Reply {
  std::uint32_t magic;
  std::uint32_t version;
  Status status;
  std::uint32_t reserved;
  std::uint64_t output_size;
  Info info;
  Loudness loudness;
  Shape shape;
  Mastering mastering;
  Info output_info;               // of what was written, tags empty
  std::array<char, 256> message;  // UTF-8 with a NUL, as PostgreSQL writes messages; empty when ok
  std::array<char, 256> detail;
};

static_assert(std::is_trivially_copyable_v<Request> && std::is_standard_layout_v<Request>);
static_assert(std::is_trivially_copyable_v<Reply> && std::is_standard_layout_v<Reply>);

constexpr std::int32_t kMostChannels = 64;
constexpr std::int32_t kLeastSampleRate = 1000;
constexpr std::int32_t kMostSampleRate = 768000;
constexpr std::int32_t kMostPoints = 1000000;

}  // namespace audiostore::audio::wire
