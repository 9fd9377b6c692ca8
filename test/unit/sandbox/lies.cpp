#include "sandbox/lies.hpp"

#include <cstring>
#include <limits>

namespace audiostore::test {
namespace {

namespace wire = audio::wire;
using wire::Operation;
using wire::Reply;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

template <class E>
E no_value_of(E /*type*/) {
  return static_cast<E>(0xdeadbeef);
}

constexpr wire::Info kInfo{.container = wire::Container::wav,
                           .codec = wire::Codec::pcm_s16,
                           .duration_seconds = 1,
                           .frames = 48000,
                           .sample_rate = 48000,
                           .channels = 2,
                           .bit_depth = 16,
                           .bitrate = 1536000,
                           .tags = {}};

constexpr wire::Loudness kLoudness{.gated = 1,
                                   .reserved = 0,
                                   .integrated_lufs = -23,
                                   .range_lu = 0,
                                   .max_momentary_lufs = -22,
                                   .max_short_term_lufs = -kInfinity,
                                   .true_peak_dbtp = -3,
                                   .sample_peak_dbfs = -3};

const Lie kLies[] = {
    {"magic", Operation::info, [](Reply& r) { r.magic++; }},
    {"version", Operation::info, [](Reply& r) { r.version++; }},
    {"status", Operation::info, [](Reply& r) { r.status = no_value_of(r.status); }},
    {"status", Operation::info, [](Reply& r) { r.status = wire::Status::needs_whole_input; }},
    {"output_size", Operation::info, [](Reply& r) { r.output_size = 1; }},
    {"output_size", Operation::transcode, [](Reply& r) { r.output_size = kHuge; }},
    {"output_size", Operation::transcode, [](Reply& r) { r.output_size += 1; }},
    {"output_size", Operation::transcode, [](Reply& r) { r.output_size = 0; }},
    {"output_size", Operation::waveform, [](Reply& r) { r.output_size += 12; }},
    {"message", Operation::info, [](Reply& r) { r.message.fill('x'); }},
    {"message", Operation::info, [](Reply& r) { std::strcpy(r.message.data(), "\xc3"); }},
    {"message", Operation::info, [](Reply& r) { std::strcpy(r.message.data(), "\xed\xa0\x80"); }},
    {"message", Operation::info, [](Reply& r) { std::strcpy(r.message.data(), "\xc0\xaf"); }},
    {"message", Operation::info, [](Reply& r) { std::strcpy(r.message.data(), "\xf4\x90\x80\x80"); }},
    {"detail", Operation::info, [](Reply& r) { r.detail.fill('\x80'); }},
    {"detail", Operation::info, [](Reply& r) { std::strcpy(r.detail.data(), "a\nb"); }},
    {"detail", Operation::info, [](Reply& r) { std::strcpy(r.detail.data(), "\xc2\x9b"); }},
    {"info.container", Operation::info, [](Reply& r) { r.info.container = wire::Container::unknown; }},
    {"info.container", Operation::info, [](Reply& r) { r.info.container = no_value_of(r.info.container); }},
    {"info.codec", Operation::info, [](Reply& r) { r.info.codec = no_value_of(r.info.codec); }},
    {"info.duration_seconds", Operation::info, [](Reply& r) { r.info.duration_seconds = kNan; }},
    {"info.duration_seconds", Operation::info, [](Reply& r) { r.info.duration_seconds = -1; }},
    {"info.duration_seconds", Operation::info, [](Reply& r) { r.info.duration_seconds = kInfinity; }},
    {"info.duration_seconds and frames", Operation::info, [](Reply& r) { r.info.duration_seconds = 2; }},
    {"info.frames", Operation::info, [](Reply& r) { r.info.frames = kHuge; }},
    {"info.sample_rate", Operation::info, [](Reply& r) { r.info.sample_rate = 0; }},
    {"info.sample_rate", Operation::info, [](Reply& r) { r.info.sample_rate = -48000; }},
    {"info.channels", Operation::info, [](Reply& r) { r.info.channels = 0; }},
    {"info.channels", Operation::info, [](Reply& r) { r.info.channels = INT32_MAX; }},
    {"info.bit_depth", Operation::info, [](Reply& r) { r.info.bit_depth = -1; }},
    {"info.bitrate", Operation::info, [](Reply& r) { r.info.bitrate = -1; }},
    {"info.tags", Operation::info, [](Reply& r) { r.info.tags[9].fill('x'); }},
    {"info.tags", Operation::info, [](Reply& r) { std::strcpy(r.info.tags[3].data(), "a\tb"); }},
    {"loudness.gated", Operation::measure, [](Reply& r) { r.loudness.gated = 2; }},
    {"loudness.integrated_lufs", Operation::measure, [](Reply& r) { r.loudness.integrated_lufs = -kInfinity; }},
    {"loudness.range_lu", Operation::measure, [](Reply& r) { r.loudness.range_lu = -1; }},
    {"loudness.max_momentary_lufs", Operation::measure, [](Reply& r) { r.loudness.max_momentary_lufs = kInfinity; }},
    {"loudness.max_short_term_lufs", Operation::measure, [](Reply& r) { r.loudness.max_short_term_lufs = kNan; }},
    {"loudness.true_peak_dbtp", Operation::measure, [](Reply& r) { r.loudness.true_peak_dbtp = kNan; }},
    {"loudness.sample_peak_dbfs", Operation::measure, [](Reply& r) { r.loudness.sample_peak_dbfs = 1e300; }},
    {"shape.clipped_samples", Operation::measure, [](Reply& r) { r.shape.clipped_samples = -1; }},
    {"shape.silence_seconds", Operation::measure, [](Reply& r) { r.shape.silence_seconds = -1; }},
    {"shape.leading_silence_seconds", Operation::measure, [](Reply& r) { r.shape.leading_silence_seconds = 9; }},
    {"shape.trailing_silence_seconds", Operation::measure, [](Reply& r) { r.shape.trailing_silence_seconds = kNan; }},
    {"shape.longest_silence_seconds", Operation::measure, [](Reply& r) { r.shape.longest_silence_seconds = 9; }},
    {"shape.dc_offset", Operation::measure, [](Reply& r) { r.shape.dc_offset = kNan; }},
    {"mastering.outcome", Operation::master, [](Reply& r) { r.mastering.outcome = wire::Outcome::none; }},
    {"mastering.outcome", Operation::master, [](Reply& r) { r.mastering.outcome = no_value_of(r.mastering.outcome); }},
    {"mastering.gain_db", Operation::master, [](Reply& r) { r.mastering.gain_db = -kInfinity; }},
    {"mastering.max_reduction_db", Operation::master, [](Reply& r) { r.mastering.max_reduction_db = -1; }},
    {"mastering.limited_seconds", Operation::master, [](Reply& r) { r.mastering.limited_seconds = kNan; }},
    {"mastering.after.gated", Operation::master, [](Reply& r) { r.mastering.after.gated = 7; }},
    {"mastering.after.range_lu", Operation::master, [](Reply& r) { r.mastering.after.range_lu = kNan; }},
    {"mastering.after.integrated_lufs", Operation::master,
     [](Reply& r) { r.mastering.after.integrated_lufs = kInfinity; }},
    {"output_info.channels", Operation::slice, [](Reply& r) { r.output_info.channels = 65; }},
    {"output_info.sample_rate", Operation::trim, [](Reply& r) { r.output_info.sample_rate = 999; }},
    {"output_info.container", Operation::master, [](Reply& r) { r.output_info = {}; }},
};

}  // namespace

wire::Reply honest_reply(Operation operation) {
  Reply reply{};
  reply.magic = wire::kReplyMagic;
  reply.version = wire::kVersion;
  reply.info = kInfo;
  if (operation == Operation::measure || operation == Operation::master) reply.loudness = kLoudness;
  if (operation == Operation::master) {
    reply.mastering = {.outcome = wire::Outcome::gain,
                       .reserved = 0,
                       .gain_db = 7,
                       .max_reduction_db = 0,
                       .limited_seconds = 0,
                       .after = kLoudness};
  }
  bool const writes_audio = operation == Operation::master || operation == Operation::transcode ||
                            operation == Operation::slice || operation == Operation::trim;
  if (writes_audio) reply.output_info = kInfo;
  return reply;
}

std::span<const Lie> lies() { return kLies; }

}  // namespace audiostore::test
