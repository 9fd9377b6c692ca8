// master_audio() and master_audio_report(): audio at a loudness, and how it got there.
#include "mastering/arguments.hpp"
#include "mastering/names.hpp"
#include "mastering/operation.hpp"
#include "pg/result_set.hpp"

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

constexpr Range kTargets{-70, 0, " LUFS"};
constexpr Range kCeilings{-60, 0, " dBTP"};

void master(const pg::Arguments& arguments, Result& result) {
  auto request = request_for(wire::Operation::master);
  request.target_lufs = number_argument(arguments, 1, "target_lufs", kTargets);
  request.max_true_peak_dbtp = number_argument(arguments, 2, "max_true_peak_dbtp", kCeilings);
  request.format = format_named(arguments.text(3, "format"));
  produce(request, arguments.datum(0, "audio"), result);
}

const char* explanation_of(wire::Outcome outcome) {
  switch (outcome) {
    case wire::Outcome::silence: return "Nothing in it is loud enough to be measured; it was left as it was.";
    case wire::Outcome::too_short: return "Loudness is measured over 400 ms at least; it was left as it was.";
    case wire::Outcome::target_not_reached: return "It is as loud as the ceiling allows.";
    case wire::Outcome::none:
    case wire::Outcome::gain:
    case wire::Outcome::limited: break;
  }
  return nullptr;
}

void give_notice(const wire::Mastering& mastering) {
  const char* const explanation = explanation_of(mastering.outcome);
  if (explanation == nullptr) return;
  const char* const name = name_of(mastering.outcome).data();
  pg::call([&] {
    ereport(NOTICE, errmsg("audio was not mastered to the target: %s", name), errdetail_internal("%s", explanation));
  });
}

Datum master_audio(FunctionCallInfo call) {
  Result result;
  master(pg::Arguments(call), result);
  give_notice(result.reply.mastering);
  return result.bytea();
}

NullableDatum number(double value) { return {Float8GetDatum(value), false}; }
NullableDatum where_gated(const wire::Loudness& loudness, double value) {
  return loudness.gated == 1 ? number(value) : NullableDatum{Datum{0}, true};
}

Datum master_audio_report(FunctionCallInfo call) {
  Result result;
  master(pg::Arguments(call), result);
  auto const& mastering = result.reply.mastering;
  auto const& before = result.reply.loudness;
  auto const& after = mastering.after;
  return pg::composite(
      call, {NullableDatum{result.bytea(), false}, NullableDatum{pg::varlena_datum(name_of(mastering.outcome)), false},
             number(mastering.gain_db), number(mastering.max_reduction_db), number(mastering.limited_seconds),
             where_gated(before, before.integrated_lufs), where_gated(after, after.integrated_lufs),
             number(before.true_peak_dbtp), number(after.true_peak_dbtp), where_gated(before, before.range_lu),
             where_gated(after, after.range_lu)});
}

}  // namespace
}  // namespace audiostore::mastering

AUDIOSTORE_FUNCTION(master_audio, audiostore::mastering::master_audio)
AUDIOSTORE_FUNCTION(master_audio_report, audiostore::mastering::master_audio_report)
