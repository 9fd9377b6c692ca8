// Times one operation of the audio layer on a file, through perform() as the decoder calls it.
//   audio FILE info|measure|master|transcode|slice|trim|waveform [format] [repetitions] [output file]
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "audio/av/reader.hpp"
#include "audio/perform.hpp"

namespace {

namespace wire = audiostore::audio::wire;

wire::Request request_for(const std::string& operation, const std::string& format) {
  const std::map<std::string, wire::Operation> operations = {
      {"info", wire::Operation::info},        {"measure", wire::Operation::measure},
      {"master", wire::Operation::master},    {"transcode", wire::Operation::transcode},
      {"slice", wire::Operation::slice},      {"trim", wire::Operation::trim},
      {"waveform", wire::Operation::waveform}};
  const std::map<std::string, wire::Format> formats = {{"keep", wire::Format::keep}, {"wav", wire::Format::wav},
                                                       {"flac", wire::Format::flac}, {"ogg", wire::Format::ogg},
                                                       {"opus", wire::Format::opus}, {"mp3", wire::Format::mp3}};
  wire::Request request{};
  request.magic = wire::kRequestMagic;
  request.version = wire::kVersion;
  request.operation = operations.at(operation);
  request.format = formats.at(format);
  request.max_output = std::uint64_t{1} << 40;
  request.target_lufs = -16;
  request.max_true_peak_dbtp = -1;
  request.end_seconds = INFINITY;
  request.threshold_dbfs = -50;
  request.padding_seconds = 0.1;
  request.points = 800;
  if (const char* kbps = std::getenv("BITRATE")) request.bitrate_kbps = std::atoi(kbps);
  if (const char* target = std::getenv("TARGET")) request.target_lufs = std::atof(target);
  return request;
}

void print(const char* what, const wire::Loudness& loudness) {
  std::printf("%s I=%.3f LRA=%.3f M=%.3f S=%.3f TP=%.3f SP=%.3f\n", what, loudness.integrated_lufs, loudness.range_lu,
              loudness.max_momentary_lufs, loudness.max_short_term_lufs, loudness.true_peak_dbtp,
              loudness.sample_peak_dbfs);
}

void print(const wire::Reply& reply) {
  std::printf("status=%u %s: %s\n", static_cast<unsigned>(reply.status), reply.message.data(), reply.detail.data());
  std::printf("container=%u codec=%u duration=%.6f frames=%llu rate=%d channels=%d depth=%d bitrate=%d title=%s\n",
              static_cast<unsigned>(reply.info.container), static_cast<unsigned>(reply.info.codec),
              reply.info.duration_seconds, static_cast<unsigned long long>(reply.info.frames), reply.info.sample_rate,
              reply.info.channels, reply.info.bit_depth, reply.info.bitrate, reply.info.tags[0].data());
  print("before", reply.loudness);
  print("after ", reply.mastering.after);
  std::printf("outcome=%u gain=%.3f reduction=%.3f limited=%.3fs output=%llu\n",
              static_cast<unsigned>(reply.mastering.outcome), reply.mastering.gain_db, reply.mastering.max_reduction_db,
              reply.mastering.limited_seconds, static_cast<unsigned long long>(reply.output_size));
  std::printf("clipped=%lld silence=%.3f leading=%.3f trailing=%.3f longest=%.3f dc=%.6f\n",
              static_cast<long long>(reply.shape.clipped_samples), reply.shape.silence_seconds,
              reply.shape.leading_silence_seconds, reply.shape.trailing_silence_seconds,
              reply.shape.longest_silence_seconds, reply.shape.dc_offset);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const int repetitions = count > 4 ? std::atoi(arguments[4]) : 1;
  const int input = ::open(arguments[1], O_RDONLY | O_CLOEXEC);
  const int output = count > 5 ? ::open(arguments[5], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                               : ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  struct stat status {};
  if (input < 0 || output < 0 || ::fstat(input, &status) != 0) return 1;
  wire::Request request = request_for(arguments[2], count > 3 ? arguments[3] : "wav");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  request.input = {size, size, 0};

  std::vector<double> times;
  std::vector<double> busy;
  wire::Reply reply{};
  for (int i = 0; i < std::max(repetitions, 1); ++i) {
    ::lseek(output, 0, SEEK_SET);
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t worked = std::clock();
    reply = audiostore::audio::perform(request, input, output, audiostore::audio::open_av);
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    busy.push_back(static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC);
  }
  print(reply);
  std::sort(times.begin(), times.end());
  std::sort(busy.begin(), busy.end());
  std::printf("seconds median=%.4f least=%.4f most=%.4f processor median=%.4f least=%.4f\n", times[times.size() / 2],
              times.front(), times.back(), busy[busy.size() / 2], busy.front());
  return reply.status == wire::Status::ok ? 0 : 1;
}
