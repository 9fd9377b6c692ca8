// One way through the audio with a gain and perhaps a limiter: to be measured only, or to be written and measured as
// a listener will get it: quantised, or decoded again from a lossy format.
#pragma once

#include <optional>

#include "audio/meter.hpp"
#include "audio/operations.hpp"

namespace audiostore::audio {

struct MasteringSettings {
  double gain_db = 0;
  std::optional<double> ceiling_db;  // none: no limiter
};

struct MasteringResult {
  wire::Loudness loudness{};
  wire::Shape shape{};
  double reduction_db = 0;
  double limited_seconds = 0;
};

class MasteringPass {
 public:
  MasteringPass(Source& source, const Target& target, int output) : source_(source), target_(target), output_(output) {}

  // Nothing is written; what a lossy format will make of it is not known.
  MasteringResult rehearse(const MasteringSettings& settings);

  // Replaces what an earlier pass wrote.
  MasteringResult write(const MasteringSettings& settings, wire::Reply& reply);

 private:
  MasteringResult process(const MasteringSettings& settings, const std::function<void(std::span<float>)>& finished);
  void decode_again(const Encoder& encoder, MasteringResult& result) const;

  Source& source_;
  Target target_;
  int output_;
};

}  // namespace audiostore::audio
