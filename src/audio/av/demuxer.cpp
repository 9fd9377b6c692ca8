#include "audio/av/demuxer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <string>
#include <utility>

#include "audio/sniff.hpp"

namespace audiostore::audio {

namespace {

constexpr int kBufferBytes = 64 * 1024;

const char* demuxer_name(wire::Container container) {
  switch (container) {
    case wire::Container::mp4: return "mov";
    case wire::Container::caf: return "caf";
    case wire::Container::matroska:
    case wire::Container::webm: return "matroska";
    default: return "";
  }
}

// Called for references to other files; there are none for us.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EACCES); }

}  // namespace

void throw_av_error(int error) {
  if (error == AVERROR(ENOMEM)) throw std::bad_alloc();
  std::array<char, 128> text{};
  av_strerror(error, text.data(), text.size());
  throw damaged(text.data());
}

Demuxer::Demuxer(const Input& input, wire::Container container) : input_(input) {
  try {
    open(container);
  } catch (...) {
    close();
    throw;
  }
}

Demuxer::~Demuxer() { close(); }

void Demuxer::open(wire::Container container) {
  const AVInputFormat* format = av_find_input_format(demuxer_name(container));
  if (format == nullptr)
    throw Failure(wire::Status::unsupported, std::string(name(container)) + " is not supported by this libavformat");
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) throw std::bad_alloc();
  const auto read_bytes = [](void* self, std::uint8_t* bytes, int size) {
    return static_cast<Demuxer*>(self)->read(bytes, size);
  };
  const auto seek_bytes = [](void* self, std::int64_t offset, int whence) {
    return static_cast<Demuxer*>(self)->seek(offset, whence);
  };
  io_ = avio_alloc_context(buffer, kBufferBytes, 0, this, read_bytes, nullptr, seek_bytes);
  if (io_ == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  context_ = avformat_alloc_context();
  if (context_ == nullptr) throw std::bad_alloc();
  context_->pb = io_;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO;
  context_->io_open = refuse_to_open;
  context_->max_streams = 64;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "", 0);
  const int error = avformat_open_input(&context_, "", format, &options);  // frees the context when it fails
  av_dict_free(&options);
  rethrow();
  if (error < 0) throw_av_error(error);

  for (unsigned i = 0; i < context_->nb_streams; ++i) {
    AVStream* stream = context_->streams[i];
    const bool audio = stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    if (audio && stream_ == nullptr) stream_ = stream;
    if (stream != stream_) stream->discard = AVDISCARD_ALL;
  }
  if (stream_ == nullptr)
    throw Failure(wire::Status::not_audio, "not audio", std::string(name(container)) + " without an audio stream");
}

void Demuxer::close() {
  avformat_close_input(&context_);
  if (io_ != nullptr) av_freep(&io_->buffer);
  avio_context_free(&io_);
}

void Demuxer::rethrow() {
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

int Demuxer::read(std::uint8_t* buffer, int bytes) noexcept {
  try {
    if (failure_ != nullptr) return AVERROR(EIO);
    const std::size_t got =
        input_.read_at(position_, std::span(reinterpret_cast<char*>(buffer), static_cast<std::size_t>(bytes)));
    position_ += got;
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  } catch (...) {
    failure_ = std::current_exception();  // C frames are between here and rethrow()
    return AVERROR(EIO);
  }
}

std::int64_t Demuxer::seek(std::int64_t offset, int whence) noexcept {
  const auto size = static_cast<std::int64_t>(input_.size());
  whence &= ~AVSEEK_FORCE;
  if (whence == AVSEEK_SIZE) return size;
  std::int64_t target = offset;
  if (whence == SEEK_CUR) target += static_cast<std::int64_t>(position_);
  if (whence == SEEK_END) target += size;
  if (target < 0) return AVERROR(EINVAL);
  position_ = static_cast<std::uint64_t>(target);
  return target;
}

double Demuxer::duration() const {
  if (stream_->duration > 0) return static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
  if (context_->duration > 0) return static_cast<double>(context_->duration) / AV_TIME_BASE;
  return -1;
}

bool Demuxer::next(AVPacket& packet) {
  while (true) {
    av_packet_unref(&packet);
    const int error = av_read_frame(context_, &packet);
    rethrow();
    if (error == AVERROR_EOF) return false;
    if (error < 0) throw_av_error(error);
    if (packet.stream_index == stream_->index) return true;
  }
}

}  // namespace audiostore::audio
