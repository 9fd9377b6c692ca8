#include "audio/resampler.hpp"

#include <soxr.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

constexpr std::size_t kBlockFrames = 8192;

class Resampled final : public Source {
 public:
  Resampled(Source& inner, int sample_rate)
      : inner_(inner),
        info_(inner.info()),
        channels_(static_cast<std::size_t>(info_.channels)),
        buffer_(kBlockFrames * channels_) {
    const double ratio = static_cast<double>(sample_rate) / info_.sample_rate;
    info_.frames = static_cast<std::uint64_t>(std::llround(static_cast<double>(info_.frames) * ratio));
    info_.sample_rate = sample_rate;
    info_.bit_depth = 0;
    start();
  }

  const wire::Info& info() const override { return info_; }
  std::size_t read(std::span<float> interleaved) override;
  void seek(std::uint64_t frame) override;

 private:
  struct Delete {
    void operator()(soxr_t resampler) const { soxr_delete(resampler); }
  };

  void start();

  Source& inner_;
  wire::Info info_;
  std::size_t channels_;
  std::vector<float> buffer_;
  std::size_t buffered_ = 0;  // frames
  std::size_t used_ = 0;
  bool ended_ = false;
  std::unique_ptr<soxr, Delete> resampler_;
};

void Resampled::start() {
  const soxr_io_spec_t samples = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t one_thread = soxr_runtime_spec(1);
  soxr_error_t error = nullptr;
  resampler_.reset(soxr_create(inner_.info().sample_rate, info_.sample_rate, static_cast<unsigned>(channels_), &error,
                               &samples, &quality, &one_thread));
  if (error != nullptr) throw Failure(wire::Status::failed, "could not start resampling", error);
  buffered_ = 0;
  used_ = 0;
  ended_ = false;
}

std::size_t Resampled::read(std::span<float> interleaved) {
  const std::size_t wanted = interleaved.size() / channels_;
  std::size_t done = 0;
  while (done < wanted) {
    if (used_ == buffered_ && !ended_) {
      buffered_ = inner_.read(buffer_);
      used_ = 0;
      ended_ = buffered_ == 0;
    }
    std::size_t taken = 0;
    std::size_t given = 0;
    const float* in = ended_ ? nullptr : buffer_.data() + used_ * channels_;
    const soxr_error_t error = soxr_process(resampler_.get(), in, buffered_ - used_, &taken,
                                            interleaved.data() + done * channels_, wanted - done, &given);
    if (error != nullptr) throw Failure(wire::Status::failed, "could not resample", error);
    used_ += taken;
    done += given;
    if (ended_ && given == 0) break;
  }
  make_finite(interleaved.first(done * channels_));
  return done;
}

void Resampled::seek(std::uint64_t frame) {
  if (frame != 0) throw Failure(wire::Status::failed, "resampled audio starts at its beginning");
  inner_.seek(0);
  start();
}

}  // namespace

std::unique_ptr<Source> resampled(Source& inner, int sample_rate) {
  return std::make_unique<Resampled>(inner, sample_rate);
}

}  // namespace audiostore::audio
