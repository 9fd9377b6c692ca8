// audio_info() and measure_loudness(): what audio is, and how loud.
#include <map>

#include "mastering/names.hpp"
#include "mastering/operation.hpp"
#include "pg/json.hpp"
#include "pg/result_set.hpp"

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

constexpr NullableDatum kNull{Datum{0}, true};

NullableDatum number(double value) { return {Float8GetDatum(value), false}; }
NullableDatum count(std::int64_t value) { return {Int64GetDatum(value), false}; }
NullableDatum integer_or_null(std::int32_t value) {
  return value > 0 ? NullableDatum{Int32GetDatum(value), false} : kNull;
}

NullableDatum name_or_null(std::string_view name) {
  return name == "unknown" ? kNull : NullableDatum{pg::varlena_datum(name), false};
}

Datum tags_of(const wire::Info& info) {
  std::map<std::string, std::string> tags;
  for (std::size_t i = 0; i < wire::kTags; i++) {
    std::string text = info.tags[i].data();
    if (!text.empty()) tags.emplace(name_of(static_cast<wire::Tag>(i)), std::move(text));
  }
  return pg::jsonb_object(tags);
}

Datum audio_info(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  auto const info = examine(request_for(wire::Operation::info), arguments.datum(0, "audio"), true).info;
  return pg::composite(
      call,
      {name_or_null(name_of(info.container)), name_or_null(name_of(info.codec)), number(info.duration_seconds),
       count(static_cast<std::int64_t>(info.frames)), integer_or_null(info.sample_rate), integer_or_null(info.channels),
       integer_or_null(info.bit_depth), integer_or_null(info.bitrate), NullableDatum{tags_of(info), false}});
}

Datum measure_loudness(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  auto const reply = examine(request_for(wire::Operation::measure), arguments.datum(0, "audio"), false);
  auto const& loudness = reply.loudness;
  bool const gated = loudness.gated == 1;
  return pg::composite(
      call,
      {gated ? number(loudness.integrated_lufs) : kNull, gated ? number(loudness.range_lu) : kNull,
       number(loudness.max_momentary_lufs), number(loudness.max_short_term_lufs), number(loudness.true_peak_dbtp),
       number(loudness.sample_peak_dbfs), count(reply.shape.clipped_samples), number(reply.shape.silence_seconds)});
}

}  // namespace
}  // namespace audiostore::mastering

AUDIOSTORE_FUNCTION(audio_info, audiostore::mastering::audio_info)
AUDIOSTORE_FUNCTION(measure_loudness, audiostore::mastering::measure_loudness)
