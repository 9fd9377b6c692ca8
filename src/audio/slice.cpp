// A part of the audio, exact to the sample: a time stands for the frame nearest to it.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "audio/operations.hpp"
#include "audio/part.hpp"

namespace audiostore::audio {

namespace {

std::string seconds(double value) {
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

void slice(const Job& job, wire::Reply& reply) {
  const wire::Info& info = job.source.info();
  const double start = job.request.start_seconds;
  const double end = job.request.end_seconds;
  if (!(start >= 0) || std::isinf(start)) throw invalid_argument("start of the slice must be 0 seconds or more");
  if (!(end > start)) throw invalid_argument("end of the slice must be after its start");
  const double first = std::round(start * info.sample_rate);
  const double last = std::isinf(end) ? static_cast<double>(info.frames) : std::round(end * info.sample_rate);
  const std::string length = "the audio is " + seconds(info.duration_seconds) + " seconds long";
  if (first >= static_cast<double>(info.frames))
    throw invalid_argument("slice starts after the end of the audio", length);
  if (last > static_cast<double>(info.frames)) throw invalid_argument("slice ends after the end of the audio", length);
  if (last <= first) throw invalid_argument("slice is shorter than one sample");

  Part part(job.source, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last - first));
  write_part(part, job, reply);
}

}  // namespace audiostore::audio
