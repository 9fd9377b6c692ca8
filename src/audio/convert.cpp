// From a source to what an encoder takes, and the operation that does nothing else.
#include <algorithm>
#include <string>
#include <vector>

#include "audio/operations.hpp"
#include "audio/resampler.hpp"

namespace audiostore::audio {

namespace {

constexpr std::size_t kBlockFrames = 8192;

// Whose headers count packets.
bool inexact(wire::Codec codec) {
  switch (codec) {
    case wire::Codec::vorbis:
    case wire::Codec::opus:
    case wire::Codec::mp3:
    case wire::Codec::aac:
    case wire::Codec::alac:  // lossless, but its last packet is counted in full
    case wire::Codec::ima_adpcm:
    case wire::Codec::ms_adpcm:
    case wire::Codec::gsm:
    case wire::Codec::g72x:
    case wire::Codec::other: return true;
    default: return false;
  }
}

// Containers that count in milliseconds or parts of a film, not in samples.
bool inexact(wire::Container container) {
  return container == wire::Container::mp4 || container == wire::Container::matroska ||
         container == wire::Container::webm;
}

// Frames that may be missing at the end. A lost block of a lossless codec is longer than what resampling rounds.
std::uint64_t forgiven(const wire::Info& info) {
  return inexact(info.codec) || inexact(info.container) ? static_cast<std::uint64_t>(info.sample_rate) / 4 : 64;
}

void check_arguments(const wire::Request& request) {
  if (request.channels < 0 || request.channels > wire::kMostChannels)
    throw invalid_argument("channels must be between 1 and " + std::to_string(wire::kMostChannels));
  if (request.sample_rate != 0 &&
      (request.sample_rate < wire::kLeastSampleRate || request.sample_rate > wire::kMostSampleRate))
    throw invalid_argument("sample rate must be between " + std::to_string(wire::kLeastSampleRate) + " and " +
                           std::to_string(wire::kMostSampleRate) + " Hz");
  if (request.bitrate_kbps < 0 || request.bitrate_kbps > 10000)
    throw invalid_argument("bitrate must be between 1 and 10000 kbit/s");
}

}  // namespace

void for_each_block(Source& source, const std::function<void(std::span<float>)>& visit) {
  const auto channels = static_cast<std::size_t>(source.info().channels);
  std::vector<float> block(kBlockFrames * channels);
  std::uint64_t frames = 0;
  while (const std::size_t got = source.read(block)) {
    frames += got;
    visit(std::span(block).first(got * channels));
  }
  const std::uint64_t promised = source.info().frames;
  if (frames + forgiven(source.info()) < promised)
    throw damaged("it ends after " + std::to_string(frames) + " of " + std::to_string(promised) + " frames");
}

Converted::Converted(Source& source, const wire::Request& request)
    : last_(&source), original_(source.info()), format_(request.format) {
  check_arguments(request);
  if (format_ == wire::Format::keep) format_ = kept_format(original_);
  if (request.channels != 0 && request.channels != original_.channels) {
    mixed_ = mixed(*last_, request.channels);
    last_ = mixed_.get();
  }
  const int rate = request.sample_rate != 0 ? request.sample_rate : carried_sample_rate(format_, original_.sample_rate);
  if (rate != original_.sample_rate) {
    resampled_ = resampled(*last_, rate);
    last_ = resampled_.get();
  }
}

Target Converted::target(const wire::Request& request) const {
  Target target;
  target.format = format_;
  target.sample_rate = last_->info().sample_rate;
  target.channels = last_->info().channels;
  target.bit_depth = kept_bit_depth(original_);
  // Samples of so many bits or fewer are there already; everything else, decoded or computed, lies between the steps.
  const int depth = last_->info().bit_depth;
  target.dither = depth == 0 || depth > target.bit_depth;
  target.bitrate_kbps = request.bitrate_kbps;
  target.expected_frames = last_->info().frames;
  target.max_bytes = request.max_output;
  target.tags = &original_;
  return target;
}

void report_output(const Encoder& encoder, wire::Reply& reply) {
  reply.output_size = encoder.size();
  reply.output_info = encoder.info();
}

void transcode(const Job& job, wire::Reply& reply) {
  Converted converted(job.source, job.request);
  Encoder encoder(job.output, converted.target(job.request));
  for_each_block(converted.source(), [&](std::span<float> block) { encoder.write(block); });
  encoder.finish();
  report_output(encoder, reply);
}

}  // namespace audiostore::audio
