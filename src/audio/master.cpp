// Mastering: one static gain that takes the integrated loudness to the target, and a limiter only where that gain would
// pass the ceiling. The result is measured as a listener will get it: quantised, or decoded again from a lossy format.
// Where limiting or coding moved it, the gain or the limiter's own ceiling is corrected and the result written anew, a
// bounded number of times.
//
// What is too much for a limiter: cutting a peak by more than 12 dB turns speech into something else. Material that
// would need it gets the loudest gain that does not, and the outcome target_not_reached.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "audio/limiter.hpp"
#include "audio/meter.hpp"
#include "audio/operations.hpp"
#include "audio/samples.hpp"
#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

using wire::Outcome;

constexpr double kLoudnessTolerance = 0.05;  // LU
constexpr double kMostReduction = 12.0;      // dB
constexpr double kHeadroom = 0.02;           // dB, kept free below the ceiling for rounding
constexpr int kMostPasses = 8;

double amplitude(double decibels) { return std::pow(10.0, decibels / 20.0); }

struct Settings {
  double gain_db = 0;
  std::optional<double> ceiling_db;  // none: no limiter
};

struct Result {
  wire::Loudness loudness{};
  wire::Shape shape{};
  double reduction_db = 0;
  double limited_seconds = 0;
};

class Mastering {
 public:
  Mastering(const Job& job, wire::Reply& reply)
      : job_(job), reply_(reply), converted_(job.source, job.request), target_(converted_.target(job.request)) {}

  void run();

 private:
  void measure_source();
  Outcome unprocessed() const;
  Result write(const Settings& settings);
  Result decode_again(const Encoder& encoder, Result result) const;
  std::optional<Settings> corrected(const Settings& settings, const Result& result, bool limited_enough) const;
  void report(Outcome outcome, const Settings& settings, const Result& result);

  const Job& job_;
  wire::Reply& reply_;
  Converted converted_;
  Target target_;
  wire::Loudness before_{};
};

void Mastering::measure_source() {
  const wire::Info& info = converted_.source().info();
  Meter meter(info.sample_rate, info.channels, info.bit_depth);
  for_each_block(converted_.source(), [&](std::span<float> block) { meter.add(block); });
  meter.finish();
  before_ = meter.loudness();
  reply_.loudness = before_;
  if (converted_.unchanged()) {
    reply_.info.frames = meter.frames();
    reply_.info.duration_seconds = static_cast<double>(meter.frames()) / info.sample_rate;
  }
  target_.expected_frames = meter.frames();
}

Outcome Mastering::unprocessed() const {
  constexpr double kShortest = 0.4;  // seconds, one gating block
  const wire::Info& info = converted_.source().info();
  if (static_cast<double>(target_.expected_frames) < kShortest * info.sample_rate) return Outcome::too_short;
  return before_.gated == 0 ? Outcome::silence : Outcome::none;
}

Result Mastering::write(const Settings& settings) {
  Source& source = converted_.source();
  source.seek(0);
  Target target = target_;
  target.dither = target.dither || settings.gain_db != 0;
  Encoder encoder(job_.output, target);
  Meter meter(target.sample_rate, target.channels, target.bit_depth);
  const auto gain = static_cast<float>(amplitude(settings.gain_db));
  const auto finished = [&](std::span<float> block) {
    encoder.write(block);
    if (lossless(target.format)) meter.add(block);
  };

  Result result;
  if (settings.ceiling_db) {
    Limiter limiter(target.sample_rate, target.channels, static_cast<float>(amplitude(*settings.ceiling_db)));
    for_each_block(source, [&](std::span<float> block) {
      multiply(block.data(), block.size(), gain);
      limiter.process(block, finished);
    });
    limiter.finish(finished);
    result.reduction_db = std::max(0.0, -20.0 * std::log10(static_cast<double>(limiter.deepest_gain())));
    result.limited_seconds = static_cast<double>(limiter.limited_frames()) / target.sample_rate;
  } else {
    for_each_block(source, [&](std::span<float> block) {
      if (settings.gain_db != 0) multiply(block.data(), block.size(), gain);
      finished(block);
    });
  }
  encoder.finish();
  report_output(encoder, reply_);
  if (!lossless(target.format)) return decode_again(encoder, result);
  meter.finish();
  result.loudness = meter.loudness();
  result.shape = meter.shape();
  return result;
}

Result Mastering::decode_again(const Encoder& encoder, Result result) const {
  const wire::Input all{encoder.size(), encoder.size(), 0};
  const std::unique_ptr<Source> source =
      open_sound_file(Input(job_.output, all, encoder.origin()), encoder.info().container);
  const wire::Info& info = source->info();
  Meter meter(info.sample_rate, info.channels, info.bit_depth);
  for_each_block(*source, [&](std::span<float> block) { meter.add(block); });
  meter.finish();
  result.loudness = meter.loudness();
  result.shape = meter.shape();
  return result;
}

// What to try next, empty where the result is right.
std::optional<Settings> Mastering::corrected(const Settings& settings, const Result& result,
                                             bool limited_enough) const {
  const double ceiling = job_.request.max_true_peak_dbtp;
  Settings next = settings;
  const double excess = result.loudness.true_peak_dbtp - ceiling;
  if (excess > 0) {
    next.ceiling_db = settings.ceiling_db.value_or(ceiling) - excess - kHeadroom;
    return next;
  }
  if (result.reduction_db > kMostReduction + 0.01) {
    next.gain_db -= result.reduction_db - kMostReduction;
    return next;
  }
  const double missing = job_.request.target_lufs - result.loudness.integrated_lufs;
  if (std::abs(missing) <= kLoudnessTolerance || (limited_enough && missing > 0)) return {};
  next.gain_db += missing;
  if (!next.ceiling_db && before_.true_peak_dbtp + next.gain_db > ceiling - kHeadroom)
    next.ceiling_db = ceiling - kHeadroom;
  return next;
}

void Mastering::report(Outcome outcome, const Settings& settings, const Result& result) {
  wire::Mastering& mastering = reply_.mastering;
  mastering.outcome = outcome;
  mastering.gain_db = settings.gain_db;
  mastering.max_reduction_db = result.reduction_db;
  mastering.limited_seconds = result.limited_seconds;
  mastering.after = result.loudness;
  reply_.shape = result.shape;
}

void Mastering::run() {
  measure_source();
  if (const Outcome outcome = unprocessed(); outcome != Outcome::none) {
    report(outcome, {}, write({}));
    return;
  }
  const double ceiling = job_.request.max_true_peak_dbtp;
  Settings settings{job_.request.target_lufs - before_.integrated_lufs, {}};
  if (before_.true_peak_dbtp + settings.gain_db > ceiling - kHeadroom) settings.ceiling_db = ceiling - kHeadroom;

  bool limited_enough = false;
  for (int pass = 1;; ++pass) {
    const Result result = write(settings);
    limited_enough = limited_enough || result.reduction_db > kMostReduction + 0.01;
    const std::optional<Settings> next = corrected(settings, result, limited_enough);
    if (next && pass < kMostPasses) {
      settings = *next;
      continue;
    }
    if (next && result.loudness.true_peak_dbtp > ceiling)
      throw Failure(wire::Status::failed, "could not keep the result below the ceiling",
                    "its true peak is " + std::to_string(result.loudness.true_peak_dbtp) + " dBTP");
    const bool reached = std::abs(job_.request.target_lufs - result.loudness.integrated_lufs) <= kLoudnessTolerance;
    const Outcome processed = result.reduction_db > 0 ? Outcome::limited : Outcome::gain;
    report(reached ? processed : Outcome::target_not_reached, settings, result);
    return;
  }
}

void check_arguments(const wire::Request& request) {
  if (!(request.target_lufs >= -70 && request.target_lufs <= 0))
    throw invalid_argument("target loudness must be between -70 and 0 LUFS");
  if (!(request.max_true_peak_dbtp >= -70 && request.max_true_peak_dbtp <= 0))
    throw invalid_argument("true peak ceiling must be between -70 and 0 dBTP");
}

}  // namespace

void master(const Job& job, wire::Reply& reply) {
  check_arguments(job.request);
  Mastering(job, reply).run();
}

}  // namespace audiostore::audio
