#include "mastering/figures.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

namespace audiostore::mastering {
namespace {

using audio::wire::Codec;
using audio::wire::Container;
using audio::wire::Outcome;

constexpr std::array<std::string_view, 13> kContainers = {"unknown", "wav", "rf64", "w64", "flac",     "ogg", "mp3",
                                                          "aiff",    "caf", "au",   "mp4", "matroska", "webm"};
static_assert(kContainers.size() == static_cast<std::size_t>(Container::webm) + 1);

constexpr std::array<std::string_view, 21> kCodecs = {
    "unknown",  "pcm_s8", "pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64", "ulaw", "alaw", "ima_adpcm",
    "ms_adpcm", "gsm",    "g72x",   "alac",    "flac",    "vorbis",  "opus",    "mp3",     "aac",  "other"};
static_assert(kCodecs.size() == static_cast<std::size_t>(Codec::other) + 1);

constexpr std::array<std::string_view, 6> kOutcomes = {"none",    "gain",      "limited",
                                                       "silence", "too_short", "target_not_reached"};
static_assert(kOutcomes.size() == static_cast<std::size_t>(Outcome::target_not_reached) + 1);

void set(nlohmann::json& figures, const std::string& name, double value) {
  if (std::isfinite(value)) figures[name] = value;
}

void add_loudness(nlohmann::json& figures, const audio::wire::Loudness& loudness, const std::string& suffix) {
  if (loudness.gated != 0) {
    set(figures, "integrated_lufs" + suffix, loudness.integrated_lufs);
    set(figures, "loudness_range_lu" + suffix, loudness.range_lu);
  }
  set(figures, "max_momentary_lufs" + suffix, loudness.max_momentary_lufs);
  set(figures, "max_short_term_lufs" + suffix, loudness.max_short_term_lufs);
  set(figures, "true_peak_dbtp" + suffix, loudness.true_peak_dbtp);
  set(figures, "sample_peak_dbfs" + suffix, loudness.sample_peak_dbfs);
}

}  // namespace

std::string_view container_name(Container container) { return kContainers.at(static_cast<std::size_t>(container)); }
std::string_view codec_name(Codec codec) { return kCodecs.at(static_cast<std::size_t>(codec)); }
std::string_view outcome_name(Outcome outcome) { return kOutcomes.at(static_cast<std::size_t>(outcome)); }

nlohmann::json figures_of(const audio::wire::Reply& reply, double target_lufs) {
  audio::wire::Info const& result = reply.output_info;
  audio::wire::Shape const& shape = reply.shape;
  nlohmann::json figures = {
      {"outcome", outcome_name(reply.mastering.outcome)},
      {"target_lufs", target_lufs},
      {"duration_seconds", result.duration_seconds},
      {"frames", result.frames},
      {"sample_rate", result.sample_rate},
      {"channels", result.channels},
      {"bit_depth", result.bit_depth},
      {"bitrate", result.bitrate},
      {"container_before", container_name(reply.info.container)},
      {"codec_before", codec_name(reply.info.codec)},
      {"gain_db", reply.mastering.gain_db},
      {"max_reduction_db", reply.mastering.max_reduction_db},
      {"limited_seconds", reply.mastering.limited_seconds},
      {"clipped_samples", shape.clipped_samples},
      {"silence_seconds", shape.silence_seconds},
      {"leading_silence_seconds", shape.leading_silence_seconds},
      {"trailing_silence_seconds", shape.trailing_silence_seconds},
      {"longest_silence_seconds", shape.longest_silence_seconds},
      {"dc_offset", shape.dc_offset},
  };
  add_loudness(figures, reply.mastering.after, "");
  add_loudness(figures, reply.loudness, "_before");
  return figures;
}

}  // namespace audiostore::mastering
