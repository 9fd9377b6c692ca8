// transcode_audio(), slice_audio() and trim_audio(): the same audio in another form, or less of it.
#include <limits>

#include "mastering/arguments.hpp"
#include "mastering/names.hpp"
#include "mastering/operation.hpp"

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

constexpr Range kBitrates{6, 512, " kbit/s"};
constexpr Range kPositions{0, 1e9, " s"};
constexpr Range kPositionsAndEnd{0, std::numeric_limits<double>::infinity(), " s"};
constexpr Range kThresholds{-120, 0, " dBFS"};
constexpr Range kPaddings{0, 3600, " s"};

Datum finish(FunctionCallInfo call, const wire::Request& request) {
  Result result;
  produce(request, call->args[0].value, result);
  return result.bytea();
}

Datum null_result(FunctionCallInfo call) {
  call->isnull = true;
  return Datum{0};
}

Datum transcode_audio(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  if (arguments.null(0)) return null_result(call);
  auto request = request_for(wire::Operation::transcode);
  request.format = format_named(arguments.text(1, "format"));
  request.bitrate_kbps = integer_or_default(arguments, 2, "bitrate_kbps", kBitrates);
  request.sample_rate = integer_or_default(arguments, 3, "sample_rate", kSampleRates);
  request.channels = integer_or_default(arguments, 4, "channels", kChannelCounts);
  return finish(call, request);
}

Datum slice_audio(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  if (arguments.null(0)) return null_result(call);
  auto request = request_for(wire::Operation::slice);
  if (!arguments.null(1)) request.start_seconds = number_argument(arguments, 1, "start_seconds", kPositions);
  if (!arguments.null(2)) request.end_seconds = number_argument(arguments, 2, "end_seconds", kPositionsAndEnd);
  if (request.end_seconds <= request.start_seconds) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "end_seconds must be greater than start_seconds");
  }
  if (auto const format = arguments.text_or_null(3)) request.format = format_named(*format);
  return finish(call, request);
}

Datum trim_audio(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  auto request = request_for(wire::Operation::trim);
  request.threshold_dbfs = number_argument(arguments, 1, "threshold_dbfs", kThresholds);
  request.padding_seconds = number_argument(arguments, 2, "padding_seconds", kPaddings);
  request.format = format_named(arguments.text(3, "format"));
  request.sample_rate = integer_argument(arguments, 4, "sample_rate", kSampleRates);
  request.channels = integer_argument(arguments, 5, "channels", kChannelCounts);
  return finish(call, request);
}

}  // namespace
}  // namespace audiostore::mastering

AUDIOSTORE_FUNCTION(transcode_audio, audiostore::mastering::transcode_audio)
AUDIOSTORE_FUNCTION(slice_audio, audiostore::mastering::slice_audio)
AUDIOSTORE_FUNCTION(trim_audio, audiostore::mastering::trim_audio)
