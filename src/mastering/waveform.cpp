// waveform() and waveform_svg(): what audio looks like.
#include <cmath>
#include <span>

#include "mastering/arguments.hpp"
#include "mastering/drawing.hpp"
#include "mastering/operation.hpp"
#include "pg/result_set.hpp"

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

constexpr Range kPoints{1, 1000000, ""};
constexpr Range kPixels{1, 10000, ""};
static_assert(kPoints.most == wire::kMostPoints);

// The decoder's three arrays, each whole.
struct Points {
  std::vector<float> all;
  std::span<const float> part(std::size_t index) const {
    std::size_t const size = all.size() / 3;
    return std::span(all).subspan(index * size, size);
  }
};

Points points_of(Datum audio, std::int32_t points) {
  auto request = request_for(wire::Operation::waveform);
  request.points = points;
  Result result;
  produce(request, audio, result);
  Points read{std::vector<float>(result.reply.output_size / sizeof(float))};
  result.output.read(0, reinterpret_cast<char*>(read.all.data()), result.reply.output_size);
  if (!std::all_of(read.all.begin(), read.all.end(), [](float value) { return std::isfinite(value); })) {
    throw Error(ErrorKind::decoder_died, "the audio decoder sent a waveform that makes no sense");
  }
  return read;
}

Datum array_of(std::span<const float> values) {
  std::size_t const size = ARR_OVERHEAD_NONULLS(1) + values.size_bytes();
  auto* const array = static_cast<ArrayType*>(pg::call([&] { return palloc0(size); }));
  SET_VARSIZE(array, size);
  array->ndim = values.empty() ? 0 : 1;
  array->elemtype = FLOAT4OID;
  if (!values.empty()) {
    ARR_DIMS(array)[0] = static_cast<int>(values.size());
    ARR_LBOUND(array)[0] = 1;
    std::memcpy(ARR_DATA_PTR(array), values.data(), values.size_bytes());
  }
  return PointerGetDatum(array);
}

Datum waveform(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  std::int32_t const count = integer_argument(arguments, 1, "points", kPoints);
  Points const points = points_of(arguments.datum(0, "audio"), count);
  return pg::composite(call,
                       {NullableDatum{array_of(points.part(0)), false}, NullableDatum{array_of(points.part(1)), false},
                        NullableDatum{array_of(points.part(2)), false}});
}

// A point for two pixels: closer ones turn into a grey mass.
Datum waveform_svg(FunctionCallInfo call) {
  pg::Arguments const arguments(call);
  std::int32_t const width = integer_argument(arguments, 1, "width", kPixels);
  std::int32_t const height = integer_argument(arguments, 2, "height", kPixels);
  Points const points = points_of(arguments.datum(0, "audio"), (width + 1) / 2);
  return pg::varlena_datum(draw({points.part(0), points.part(1), points.part(2)}, width, height));
}

}  // namespace
}  // namespace audiostore::mastering

AUDIOSTORE_FUNCTION(waveform, audiostore::mastering::waveform)
AUDIOSTORE_FUNCTION(waveform_svg, audiostore::mastering::waveform_svg)
