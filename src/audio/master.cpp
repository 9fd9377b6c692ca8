// Mastering: one static gain that takes the integrated loudness to the target, and a limiter only where that gain would
// pass the ceiling. Limiting costs loudness, so the gain is corrected until what comes out is on target; a lossy format
// moves loudness and peaks once more, so its result is decoded, measured, and aimed at again. Every search is bounded.
//
// What is too much for a limiter: cutting a peak by more than 12 dB turns speech into something else. Material that
// would need it gets the loudest gain that does not, and the outcome target_not_reached.
#include <algorithm>
#include <cmath>
#include <string>

#include "audio/mastering_pass.hpp"

namespace audiostore::audio {

namespace {

using wire::Outcome;

constexpr double kTolerance = 0.05;      // LU from the target
constexpr double kLossyTolerance = 0.1;  // the same where every further attempt costs an encoding
constexpr double kMostReduction = 12.0;  // dB
constexpr double kHeadroom = 0.02;       // dB, kept free below the ceiling for rounding
constexpr double kLossyHeadroom = 0.3;   // dB, the same for what a codec does to limited peaks
constexpr int kMostSteps = 6;            // towards a gain
constexpr int kMostWritings = 6;

// What to aim at before the codec.
struct Aim {
  double target_lufs;
  double ceiling_db;
};

class Mastering {
 public:
  Mastering(const Job& job, wire::Reply& reply)
      : request_(job.request), reply_(reply), converted_(job.source, job.request), output_(job.output) {}

  void run();

 private:
  void measure_source();
  Outcome unprocessed() const;
  MasteringSettings settings(double gain_db, const Aim& aim) const;
  MasteringResult settle(const Aim& aim, MasteringSettings& chosen);
  MasteringResult attempt(const MasteringSettings& chosen);
  void report(Outcome outcome, const MasteringSettings& chosen, const MasteringResult& result);

  bool lossy() const { return !lossless(target_.format); }
  double most_gain(const Aim& aim) const { return aim.ceiling_db + kMostReduction - before_.true_peak_dbtp; }

  const wire::Request& request_;
  wire::Reply& reply_;
  Converted converted_;
  int output_;
  Target target_;
  wire::Loudness before_{};
};

void Mastering::measure_source() {
  Source& source = converted_.source();
  const Meter meter = measure_all(source);
  before_ = meter.loudness();
  reply_.loudness = before_;
  target_ = converted_.target(request_);
  target_.expected_frames = meter.frames();
  if (!converted_.unchanged()) return;
  reply_.info.frames = meter.frames();
  reply_.info.duration_seconds = static_cast<double>(meter.frames()) / source.info().sample_rate;
}

Outcome Mastering::unprocessed() const {
  constexpr double kShortest = 0.4;  // seconds, one gating block
  if (static_cast<double>(target_.expected_frames) < kShortest * target_.sample_rate) return Outcome::too_short;
  return before_.gated == 0 ? Outcome::silence : Outcome::none;
}

MasteringSettings Mastering::settings(double gain_db, const Aim& aim) const {
  MasteringSettings chosen{std::min(gain_db, most_gain(aim)), {}};
  if (before_.true_peak_dbtp + chosen.gain_db > aim.ceiling_db) chosen.ceiling_db = aim.ceiling_db;
  return chosen;
}

// A lossless result is written at once; before a lossy one is, the limiter's part is rehearsed without the codec.
MasteringResult Mastering::attempt(const MasteringSettings& chosen) {
  MasteringPass pass(converted_.source(), target_, output_);
  return lossy() ? pass.rehearse(chosen) : pass.write(chosen, reply_);
}

// The gain that meets the aim, by the secant method on the loudness that the limiter leaves.
MasteringResult Mastering::settle(const Aim& aim, MasteringSettings& chosen) {
  chosen = settings(chosen.gain_db, aim);
  if (lossy() && !chosen.ceiling_db) return {};
  double slope = 0.8;  // LU of loudness for each dB of gain, until two attempts show it
  MasteringResult result = attempt(chosen);
  for (int step = 1; step < kMostSteps; ++step) {
    const double missing = aim.target_lufs - result.loudness.integrated_lufs;
    if (std::abs(missing) <= kTolerance / 2) break;
    if (!chosen.ceiling_db) slope = 1;
    const MasteringSettings next = settings(chosen.gain_db + missing / slope, aim);
    if (next.gain_db == chosen.gain_db) break;  // as far as the limiter may go
    const double before = result.loudness.integrated_lufs;
    const MasteringResult better = attempt(next);
    slope = std::clamp((better.loudness.integrated_lufs - before) / (next.gain_db - chosen.gain_db), 0.2, 1.2);
    chosen = next;
    result = better;
  }
  return result;
}

void Mastering::report(Outcome outcome, const MasteringSettings& chosen, const MasteringResult& result) {
  wire::Mastering& mastering = reply_.mastering;
  mastering.outcome = outcome;
  mastering.gain_db = chosen.gain_db;
  mastering.max_reduction_db = result.reduction_db;
  mastering.limited_seconds = result.limited_seconds;
  mastering.after = result.loudness;
  reply_.shape = result.shape;
}

void Mastering::run() {
  measure_source();
  if (const Outcome outcome = unprocessed(); outcome != Outcome::none) {
    report(outcome, {}, MasteringPass(converted_.source(), target_, output_).write({}, reply_));
    return;
  }
  const double ceiling = request_.max_true_peak_dbtp;
  Aim aim{request_.target_lufs, ceiling - kHeadroom};
  MasteringSettings chosen{aim.target_lufs - before_.integrated_lufs, {}};
  if (lossy() && settings(chosen.gain_db, aim).ceiling_db) aim.ceiling_db = ceiling - kLossyHeadroom;

  for (int writing = 1;; ++writing) {
    MasteringResult result = settle(aim, chosen);
    if (lossy()) result = MasteringPass(converted_.source(), target_, output_).write(chosen, reply_);
    const double excess = result.loudness.true_peak_dbtp - ceiling;
    const double missing = request_.target_lufs - result.loudness.integrated_lufs;
    const bool reached = std::abs(missing) <= (lossy() ? kLossyTolerance : kTolerance);
    const bool exhausted = missing > 0 && chosen.gain_db >= most_gain(aim);
    const bool last = writing == kMostWritings;
    if (excess <= 0 && (reached || exhausted || last || !lossy())) {
      const Outcome processed = result.reduction_db > 0 ? Outcome::limited : Outcome::gain;
      report(reached ? processed : Outcome::target_not_reached, chosen, result);
      return;
    }
    if (last)
      throw Failure(wire::Status::failed, "could not keep the result below the ceiling",
                    "its true peak is " + std::to_string(result.loudness.true_peak_dbtp) + " dBTP");
    if (excess > 0) aim.ceiling_db = chosen.ceiling_db.value_or(aim.ceiling_db) - excess - kHeadroom * writing;
    aim.target_lufs += missing;
    chosen.gain_db += missing;
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
