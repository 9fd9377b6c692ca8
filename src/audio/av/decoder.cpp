#include "audio/av/decoder.hpp"

#include <cstring>
#include <new>
#include <string>

namespace audiostore::audio {

namespace {

using wire::Codec;

template <typename Sample>
float to_float(Sample sample, float scale, float offset) {
  return (static_cast<float>(sample) - offset) * scale;
}

template <typename Sample>
void convert(const AVFrame& frame, bool planar, float scale, float offset, std::vector<float>& out) {
  const auto channels = static_cast<std::size_t>(frame.ch_layout.nb_channels);
  const auto frames = static_cast<std::size_t>(frame.nb_samples);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const auto* samples = reinterpret_cast<const Sample*>(frame.extended_data[planar ? channel : 0]);
    const std::size_t first = planar ? 0 : channel;
    const std::size_t step = planar ? 1 : channels;
    for (std::size_t i = 0; i < frames; ++i)
      out[i * channels + channel] = to_float(samples[first + i * step], scale, offset);
  }
}

void convert(const AVFrame& frame, std::vector<float>& out) {
  const auto format = static_cast<AVSampleFormat>(frame.format);
  const bool planar = av_sample_fmt_is_planar(format) != 0;
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8: return convert<std::uint8_t>(frame, planar, 1.0F / 128, 128, out);
    case AV_SAMPLE_FMT_S16: return convert<std::int16_t>(frame, planar, 1.0F / 32768, 0, out);
    case AV_SAMPLE_FMT_S32: return convert<std::int32_t>(frame, planar, 1.0F / 2147483648.0F, 0, out);
    case AV_SAMPLE_FMT_FLT: return convert<float>(frame, planar, 1, 0, out);
    case AV_SAMPLE_FMT_DBL: return convert<double>(frame, planar, 1, 0, out);
    default: throw damaged("its samples are of no known format");
  }
}

}  // namespace

Codec codec_of(AVCodecID id) {
  switch (id) {
    case AV_CODEC_ID_AAC: return Codec::aac;
    case AV_CODEC_ID_OPUS: return Codec::opus;
    case AV_CODEC_ID_VORBIS: return Codec::vorbis;
    case AV_CODEC_ID_ALAC: return Codec::alac;
    case AV_CODEC_ID_FLAC: return Codec::flac;
    case AV_CODEC_ID_MP3: return Codec::mp3;
    case AV_CODEC_ID_PCM_U8: return Codec::pcm_u8;
    case AV_CODEC_ID_PCM_S8: return Codec::pcm_s8;
    case AV_CODEC_ID_PCM_S16LE:
    case AV_CODEC_ID_PCM_S16BE: return Codec::pcm_s16;
    case AV_CODEC_ID_PCM_S24LE:
    case AV_CODEC_ID_PCM_S24BE: return Codec::pcm_s24;
    case AV_CODEC_ID_PCM_S32LE:
    case AV_CODEC_ID_PCM_S32BE: return Codec::pcm_s32;
    case AV_CODEC_ID_PCM_F32LE:
    case AV_CODEC_ID_PCM_F32BE: return Codec::pcm_f32;
    case AV_CODEC_ID_PCM_F64LE:
    case AV_CODEC_ID_PCM_F64BE: return Codec::pcm_f64;
    case AV_CODEC_ID_PCM_MULAW: return Codec::ulaw;
    case AV_CODEC_ID_PCM_ALAW: return Codec::alaw;
    case AV_CODEC_ID_ADPCM_IMA_QT: return Codec::ima_adpcm;
    default: return Codec::unknown;
  }
}

Decoder::Decoder(const AVStream& stream) : frame_(av_frame_alloc()), packet_(av_packet_alloc()) {
  if (frame_ == nullptr || packet_ == nullptr) throw std::bad_alloc();
  const AVCodecID id = stream.codecpar->codec_id;
  const AVCodec* codec = codec_of(id) == Codec::unknown ? nullptr : avcodec_find_decoder(id);
  // The native Opus decoder needs no library of its own; either does.
  if (codec == nullptr)
    throw Failure(wire::Status::unsupported, std::string("codec ") + avcodec_get_name(id) + " is not supported");
  context_.reset(avcodec_alloc_context3(codec));
  if (context_ == nullptr) throw std::bad_alloc();
  if (const int error = avcodec_parameters_to_context(context_.get(), stream.codecpar); error < 0)
    throw_av_error(error);
  context_->pkt_timebase = stream.time_base;
  context_->thread_count = 1;
  if (const int error = avcodec_open2(context_.get(), codec, nullptr); error < 0) throw_av_error(error);
}

bool Decoder::receive() {
  const int error = avcodec_receive_frame(context_.get(), frame_.get());
  if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) {
    frames_ = 0;
    return error == AVERROR_EOF;
  }
  if (error < 0) throw_av_error(error);
  const int channels = frame_->ch_layout.nb_channels;
  if (channels < 1 || channels > wire::kMostChannels || frame_->sample_rate <= 0 || frame_->nb_samples < 0)
    throw damaged("a frame of " + std::to_string(channels) + " channels at " + std::to_string(frame_->sample_rate) +
                  " Hz");
  if (channels_ != 0 && (channels != channels_ || frame_->sample_rate != sample_rate_))
    throw Failure(wire::Status::unsupported, "audio that changes its channels or sample rate is not supported");
  channels_ = channels;
  sample_rate_ = frame_->sample_rate;
  frames_ = static_cast<std::size_t>(frame_->nb_samples);
  samples_.resize(frames_ * static_cast<std::size_t>(channels));
  convert(*frame_, samples_);
  av_frame_unref(frame_.get());
  return false;
}

void Decoder::feed(Demuxer& demuxer) {
  const bool more = demuxer.next(*packet_);
  const int error = avcodec_send_packet(context_.get(), more ? packet_.get() : nullptr);
  if (error < 0 && error != AVERROR_EOF) throw_av_error(error);
}

bool Decoder::next(Demuxer& demuxer) {
  while (true) {
    if (receive()) return false;
    if (frames_ > 0) return true;
    feed(demuxer);
  }
}

}  // namespace audiostore::audio
