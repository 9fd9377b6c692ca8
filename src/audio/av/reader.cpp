#include "audio/av/reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "audio/av/decoder.hpp"
#include "audio/sniff.hpp"
#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

constexpr std::array<std::pair<const char*, wire::Tag>, wire::kTags> kTags = {{
    {"title", wire::Tag::title},
    {"artist", wire::Tag::artist},
    {"album", wire::Tag::album},
    {"date", wire::Tag::date},
    {"genre", wire::Tag::genre},
    {"track", wire::Tag::track},
    {"comment", wire::Tag::comment},
    {"copyright", wire::Tag::copyright},
    {"license", wire::Tag::license},
    {"encoder", wire::Tag::software},
}};

// What the header says is any number.
int plausible_depth(int bits) { return bits > 0 && bits <= 32 ? bits : 0; }

int bit_depth_of(const AVCodecParameters& parameters, wire::Codec codec) {
  switch (codec) {
    case wire::Codec::alac:
    case wire::Codec::flac:
      return plausible_depth(parameters.bits_per_raw_sample > 0 ? parameters.bits_per_raw_sample
                                                                : parameters.bits_per_coded_sample);
    case wire::Codec::pcm_u8:
    case wire::Codec::pcm_s8: return 8;
    case wire::Codec::pcm_s16: return 16;
    case wire::Codec::pcm_s24: return 24;
    case wire::Codec::pcm_s32:
    case wire::Codec::pcm_f32: return 32;
    case wire::Codec::pcm_f64: return 64;
    default: return 0;
  }
}

class AvSource final : public Source {
 public:
  explicit AvSource(const Input& input);
  const wire::Info& info() const override { return info_; }
  std::size_t read(std::span<float> interleaved) override;
  void seek(std::uint64_t frame) override;

 private:
  void open();
  double duration();

  Input input_;
  wire::Container container_;
  std::unique_ptr<Demuxer> demuxer_;
  std::unique_ptr<Decoder> decoder_;
  std::size_t used_ = 0;  // frames of what the decoder holds
  std::uint64_t position_ = 0;
  bool ended_ = false;
  wire::Info info_{};
};

AvSource::AvSource(const Input& input) : input_(input), container_(sniff(input).container) {
  av_log_set_level(AV_LOG_QUIET);
  open();
  const AVCodecParameters& parameters = *demuxer_->stream().codecpar;
  info_.container = container_;
  info_.codec = codec_of(parameters.codec_id);
  info_.bit_depth = bit_depth_of(parameters, info_.codec);
  // What is decoded counts: a header knows nothing of the doubled rate of HE-AAC.
  info_.sample_rate = ended_ ? parameters.sample_rate : decoder_->sample_rate();
  info_.channels = ended_ ? parameters.ch_layout.nb_channels : decoder_->channels();
  check_plausible(info_);
  for (const auto& [key, tag] : kTags) {
    const AVDictionaryEntry* entry = av_dict_get(demuxer_->metadata(), key, nullptr, 0);
    set_tag(info_, tag, entry == nullptr ? nullptr : entry->value);
  }
  const double seconds = duration();
  const double frames = std::round(seconds * info_.sample_rate);
  if (!(frames >= 0 && frames < 9e15)) throw damaged("the header says a duration that cannot be");
  info_.frames = static_cast<std::uint64_t>(frames);
  check_plausible(info_);
  info_.duration_seconds = frames / info_.sample_rate;
  info_.bitrate = average_bitrate(input_.size(), info_.duration_seconds);
}

void AvSource::open() {
  decoder_.reset();
  demuxer_ = std::make_unique<Demuxer>(input_, container_);
  decoder_ = std::make_unique<Decoder>(demuxer_->stream());
  ended_ = !decoder_->next(*demuxer_);
  used_ = 0;
  position_ = 0;
}

// Browsers record without knowing how long; then the packets have to be looked at.
double AvSource::duration() {
  if (ended_) return 0;
  if (const double known = demuxer_->duration(); known >= 0) return known;
  Demuxer all(input_, container_);
  const Packet packet(av_packet_alloc());
  if (packet == nullptr) throw std::bad_alloc();
  std::int64_t first = AV_NOPTS_VALUE;
  std::int64_t end = 0;
  while (all.next(*packet)) {
    if (packet->pts == AV_NOPTS_VALUE) continue;
    if (first == AV_NOPTS_VALUE) first = packet->pts;
    end = std::max(end, packet->pts + packet->duration);
  }
  return first == AV_NOPTS_VALUE
             ? 0
             : static_cast<double>(end - std::max<std::int64_t>(first, 0)) * av_q2d(all.stream().time_base);
}

std::size_t AvSource::read(std::span<float> interleaved) {
  const auto channels = static_cast<std::size_t>(info_.channels);
  const std::size_t wanted = interleaved.size() / channels;
  std::size_t done = 0;
  while (done < wanted && !ended_) {
    const std::size_t frames = std::min(wanted - done, decoder_->frames() - used_);
    std::copy_n(decoder_->samples().data() + used_ * channels, frames * channels, interleaved.data() + done * channels);
    done += frames;
    used_ += frames;
    if (used_ < decoder_->frames()) continue;
    ended_ = !decoder_->next(*demuxer_);
    used_ = 0;
  }
  make_finite(interleaved.first(done * channels));
  position_ += done;
  return done;
}

void AvSource::seek(std::uint64_t frame) {
  if (frame < position_) open();
  while (position_ < frame && !ended_) {
    const auto skipped = static_cast<std::size_t>(
        std::min<std::uint64_t>(frame - position_, static_cast<std::uint64_t>(decoder_->frames() - used_)));
    used_ += skipped;
    position_ += skipped;
    if (used_ < decoder_->frames()) continue;
    ended_ = !decoder_->next(*demuxer_);
    used_ = 0;
  }
}

}  // namespace

std::unique_ptr<Source> open_av(const Input& input) { return std::make_unique<AvSource>(input); }

}  // namespace audiostore::audio
