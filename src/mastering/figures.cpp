#include "mastering/figures.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "mastering/names.hpp"

namespace audiostore::mastering {
namespace {

void set(nlohmann::json& figures, const std::string& name, double value) {
  if (std::isfinite(value)) figures[name] = value;
}

void add_loudness(nlohmann::json& figures, const audio::wire::Loudness& loudness) {
  if (loudness.gated != 0) {
    set(figures, "integrated_lufs", loudness.integrated_lufs);
    set(figures, "loudness_range_lu", loudness.range_lu);
  }
  set(figures, "max_momentary_lufs", loudness.max_momentary_lufs);
  set(figures, "max_short_term_lufs", loudness.max_short_term_lufs);
  set(figures, "true_peak_dbtp", loudness.true_peak_dbtp);
  set(figures, "sample_peak_dbfs", loudness.sample_peak_dbfs);
}

void add_info(nlohmann::json& figures, const audio::wire::Info& info) {
  figures["duration_seconds"] = info.duration_seconds;
  figures["frames"] = info.frames;
  figures["sample_rate"] = info.sample_rate;
  figures["channels"] = info.channels;
  figures["bit_depth"] = info.bit_depth;
  figures["bitrate"] = info.bitrate;
}

}  // namespace

nlohmann::json figures_of(const audio::wire::Reply& reply, double target_lufs) {
  audio::wire::Shape const& shape = reply.shape;
  nlohmann::json figures = {
      {"outcome", name_of(reply.mastering.outcome)},
      {"target_lufs", target_lufs},
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
  add_info(figures, reply.output_info);
  add_loudness(figures, reply.mastering.after);
  nlohmann::json before = {{"container", name_of(reply.info.container)}, {"codec", name_of(reply.info.codec)}};
  add_info(before, reply.info);
  add_loudness(before, reply.loudness);
  figures["before"] = std::move(before);
  return figures;
}

}  // namespace audiostore::mastering
