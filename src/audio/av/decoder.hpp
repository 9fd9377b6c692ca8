// libavcodec on the packets of a Demuxer: interleaved float frames. One thread, and only codecs for audio that people
// have.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "audio/av/demuxer.hpp"

namespace audiostore::audio {

class Decoder {
 public:
  explicit Decoder(const AVStream& stream);

  // Decodes on until there are samples; false at the end. Then samples() are frames() times channels().
  bool next(Demuxer& demuxer);

  const std::vector<float>& samples() const { return samples_; }
  std::size_t frames() const { return frames_; }
  // Known after the first next(); a stream that changes them is damaged.
  int sample_rate() const { return sample_rate_; }
  int channels() const { return channels_; }

 private:
  struct FreeContext {
    void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  };
  struct FreeFrame {
    void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  };

  bool receive();
  void feed(Demuxer& demuxer);

  std::unique_ptr<AVCodecContext, FreeContext> context_;
  std::unique_ptr<AVFrame, FreeFrame> frame_;
  Packet packet_;
  std::vector<float> samples_;
  std::size_t frames_ = 0;
  int sample_rate_ = 0;
  int channels_ = 0;
};

wire::Codec codec_of(AVCodecID id);

}  // namespace audiostore::audio
