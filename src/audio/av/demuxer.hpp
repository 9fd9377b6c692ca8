// libavformat over an Input: the one audio stream of a file, packet by packet. Three demuxers are allowed and no
// protocol: a file that refers to another one gets nothing.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>

#include "audio/source.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

namespace audiostore::audio {

struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
using Packet = std::unique_ptr<AVPacket, FreePacket>;

// Throws what a negative result of libav means: out of memory, or damaged audio with the library's words.
[[noreturn]] void throw_av_error(int error);

class Demuxer {
 public:
  Demuxer(const Input& input, wire::Container container);
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;
  ~Demuxer();

  const AVStream& stream() const { return *stream_; }
  const AVDictionary* metadata() const { return context_->metadata; }
  // Seconds, negative where the file does not say.
  double duration() const;
  // The next packet of the stream; false at the end.
  bool next(AVPacket& packet);

 private:
  int read(std::uint8_t* buffer, int bytes) noexcept;
  std::int64_t seek(std::int64_t offset, int whence) noexcept;
  void open(wire::Container container);
  void close();
  void rethrow();

  Input input_;
  std::uint64_t position_ = 0;
  std::exception_ptr failure_;
  AVIOContext* io_ = nullptr;
  AVFormatContext* context_ = nullptr;
  AVStream* stream_ = nullptr;
};

}  // namespace audiostore::audio
