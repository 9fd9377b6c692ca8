#include "sandbox/validate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;
using Lie = std::optional<std::string>;

constexpr double kMostDecibels = 2000;  // samples are floats: 10^38 is 760 dB
constexpr std::uint64_t kMostFrames = std::uint64_t{1} << 53;
constexpr double kMostSeconds = static_cast<double>(kMostFrames) / wire::kLeastSampleRate;
constexpr std::size_t kWaveformPoint = 3 * sizeof(float);

// What one field may be, with its name for the DETAIL.
class Check {
 public:
  explicit Check(std::string record) : record_(std::move(record)) {}

  Check& that(bool holds, const char* field) {
    if (!holds && !lie_) lie_ = record_ + field;
    return *this;
  }
  Check& within(double value, double least, double most, const char* field) {
    return that(std::isfinite(value) && value >= least && value <= most, field);
  }
  Check& decibels(double value, const char* field) {
    return that((std::isinf(value) && value < 0) || std::abs(value) <= kMostDecibels, field);
  }
  template <class E>
  Check& one_of(E value, E least, E most, const char* field) {
    return that(value >= least && value <= most, field);
  }
  Check& text(std::span<const char> field, const char* name);
  const Lie& lie() const { return lie_; }

 private:
  std::string record_;
  Lie lie_;
};

// The length of the character at the front, and whether it is a valid one that is not a control character.
std::size_t character(std::span<const unsigned char> octets) {
  unsigned char const first = octets[0];
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  std::size_t const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || octets.size() < length) return 0;
  char32_t code = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; i++) {
    if ((octets[i] & 0xc0U) != 0x80U) return 0;
    code = code << 6U | (octets[i] & 0x3fU);
  }
  bool const shortest = length == 2 || code >= (length == 3 ? 0x800U : 0x10000U);
  bool const surrogate = code >= 0xd800 && code <= 0xdfff;
  bool const control = code < 0xa0;
  return shortest && !surrogate && !control && code <= 0x10ffff ? length : 0;
}

Check& Check::text(std::span<const char> field, const char* name) {
  std::span<const unsigned char> rest(reinterpret_cast<const unsigned char*>(field.data()), field.size());
  while (!rest.empty() && rest[0] != 0) {
    std::size_t const length = character(rest);
    if (length == 0) return that(false, name);
    rest = rest.subspan(length);
  }
  return that(!rest.empty(), name);
}

Lie lie_in(const wire::Info& info, const char* record) {
  Check check(record);
  check.one_of(info.container, wire::Container::wav, wire::Container::webm, "container");
  check.one_of(info.codec, wire::Codec::unknown, wire::Codec::other, "codec");
  check.within(info.duration_seconds, 0, kMostSeconds, "duration_seconds");
  check.that(info.frames <= kMostFrames, "frames");
  check.that(info.sample_rate >= wire::kLeastSampleRate && info.sample_rate <= wire::kMostSampleRate, "sample_rate");
  check.that(info.channels >= 1 && info.channels <= wire::kMostChannels, "channels");
  check.that(info.bit_depth >= 0 && info.bit_depth <= 64, "bit_depth");
  check.that(info.bitrate >= 0, "bitrate");
  if (!check.lie()) {
    double const seconds = static_cast<double>(info.frames) / info.sample_rate;
    check.that(std::abs(seconds - info.duration_seconds) <= 0.001 + seconds * 1e-6, "duration_seconds and frames");
  }
  for (auto const& tag : info.tags) check.text(tag, "tags");
  return check.lie();
}

Lie lie_in(const wire::Loudness& loudness, const char* record) {
  Check check(record);
  check.that(loudness.gated <= 1, "gated");
  if (loudness.gated == 1) {
    check.within(loudness.integrated_lufs, -kMostDecibels, kMostDecibels, "integrated_lufs");
    check.within(loudness.range_lu, 0, kMostDecibels, "range_lu");
  }
  check.decibels(loudness.max_momentary_lufs, "max_momentary_lufs");
  check.decibels(loudness.max_short_term_lufs, "max_short_term_lufs");
  check.decibels(loudness.true_peak_dbtp, "true_peak_dbtp");
  check.decibels(loudness.sample_peak_dbfs, "sample_peak_dbfs");
  return check.lie();
}

Lie lie_in(const wire::Shape& shape) {
  Check check("shape.");
  double const silence = shape.silence_seconds + 0.001;
  check.that(shape.clipped_samples >= 0, "clipped_samples");
  check.within(shape.silence_seconds, 0, kMostSeconds, "silence_seconds");
  check.within(shape.leading_silence_seconds, 0, silence, "leading_silence_seconds");
  check.within(shape.trailing_silence_seconds, 0, silence, "trailing_silence_seconds");
  check.within(shape.longest_silence_seconds, 0, silence, "longest_silence_seconds");
  check.that(std::isfinite(shape.dc_offset), "dc_offset");
  return check.lie();
}

Lie lie_in(const wire::Mastering& mastering) {
  Check check("mastering.");
  check.one_of(mastering.outcome, wire::Outcome::gain, wire::Outcome::target_not_reached, "outcome");
  check.within(mastering.gain_db, -kMostDecibels, kMostDecibels, "gain_db");
  check.within(mastering.max_reduction_db, 0, kMostDecibels, "max_reduction_db");
  check.within(mastering.limited_seconds, 0, kMostSeconds, "limited_seconds");
  return check.lie() ? check.lie() : lie_in(mastering.after, "mastering.after.");
}

bool writes_audio(wire::Operation operation) {
  return operation == wire::Operation::master || operation == wire::Operation::transcode ||
         operation == wire::Operation::slice || operation == wire::Operation::trim;
}

bool measures(wire::Operation operation) {
  return operation == wire::Operation::measure || operation == wire::Operation::master;
}

Lie lie_about_output(const wire::Request& request, const wire::Reply& reply, std::uint64_t written) {
  Check check("");
  check.that(reply.output_size == written, "output_size");
  if (writes_audio(request.operation)) {
    check.that(reply.output_size > 0 && reply.output_size <= request.max_output, "output_size");
  } else if (request.operation == wire::Operation::waveform) {
    auto const most = static_cast<std::uint64_t>(std::max(request.points, 0)) * kWaveformPoint;
    check.that(reply.output_size % kWaveformPoint == 0 && reply.output_size <= most, "output_size");
  } else {
    check.that(reply.output_size == 0, "output_size");
  }
  return check.lie();
}

Lie lie_about_success(const wire::Request& request, const wire::Reply& reply, std::uint64_t written) {
  if (auto lie = lie_about_output(request, reply, written)) return lie;
  if (auto lie = lie_in(reply.info, "info.")) return lie;
  if (measures(request.operation)) {
    if (auto lie = lie_in(reply.loudness, "loudness.")) return lie;
    if (auto lie = lie_in(reply.shape)) return lie;
  }
  if (request.operation == wire::Operation::master) {
    if (auto lie = lie_in(reply.mastering)) return lie;
  }
  return writes_audio(request.operation) ? lie_in(reply.output_info, "output_info.") : std::nullopt;
}

// Where nothing passes the gate these two mean nothing.
void clear_where_not_gated(wire::Loudness& loudness) {
  if (loudness.gated == 1) return;
  loudness.integrated_lufs = -std::numeric_limits<double>::infinity();
  loudness.range_lu = 0;
}

}  // namespace

Lie find_lie(const wire::Request& request, const wire::Reply& reply, std::uint64_t written,
             bool may_be_another_readers_turn) {
  Check check("");
  check.that(reply.magic == wire::kReplyMagic, "magic");
  check.that(reply.version == wire::kVersion, "version");
  check.one_of(reply.status, wire::Status::ok, wire::Status::failed, "status");
  check.text(reply.message, "message");
  check.text(reply.detail, "detail");
  if (check.lie()) return check.lie();
  switch (reply.status) {
    case wire::Status::ok: return lie_about_success(request, reply, written);
    case wire::Status::needs_whole_input: {
      auto const& input = request.input;
      bool const partial = input.head < input.size && input.tail < input.size - input.head;
      return check.that(partial, "status: all of the input was there").lie();
    }
    case wire::Status::needs_other_reader:
      return check.that(may_be_another_readers_turn, "status: there is no other reader").lie();
    default: return std::nullopt;
  }
}

void clear_what_is_not_asked_for(const wire::Request& request, wire::Reply& reply) {
  bool const ok = reply.status == wire::Status::ok;
  if (!ok) reply.output_size = 0;
  if (!ok) reply.info = {};
  if (!ok || !measures(request.operation)) {
    reply.loudness = {};
    reply.shape = {};
  }
  if (!ok || request.operation != wire::Operation::master) reply.mastering = {};
  if (!ok || !writes_audio(request.operation)) reply.output_info = {};
  if (ok) {
    reply.message = {};
    reply.detail = {};
  }
  clear_where_not_gated(reply.loudness);
  clear_where_not_gated(reply.mastering.after);
}

}  // namespace audiostore::sandbox
