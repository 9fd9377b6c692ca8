#include "audio/sound_file.hpp"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "audio/mpeg_frame.hpp"
#include "audio/sound_format.hpp"
#include "audio/virtual_file.hpp"

namespace audiostore::audio {

namespace {

constexpr std::array<std::pair<int, wire::Tag>, wire::kTags> kTags = {{
    {SF_STR_TITLE, wire::Tag::title},
    {SF_STR_ARTIST, wire::Tag::artist},
    {SF_STR_ALBUM, wire::Tag::album},
    {SF_STR_DATE, wire::Tag::date},
    {SF_STR_GENRE, wire::Tag::genre},
    {SF_STR_TRACKNUMBER, wire::Tag::track},
    {SF_STR_COMMENT, wire::Tag::comment},
    {SF_STR_COPYRIGHT, wire::Tag::copyright},
    {SF_STR_LICENSE, wire::Tag::license},
    {SF_STR_SOFTWARE, wire::Tag::software},
}};

class SoundFile final : public Source {
 public:
  SoundFile(const Input& input, wire::Container container);
  const wire::Info& info() const override { return info_; }
  std::size_t read(std::span<float> interleaved) override;
  void seek(std::uint64_t frame) override;

 private:
  void open(wire::Container container);
  std::uint64_t frames_of_mp3(std::uint64_t claimed) const;
  std::uint64_t frames_by_decoding();

  VirtualInput bytes_;
  SF_INFO format_{};
  SoundFileHandle file_;
  wire::Info info_{};
  std::uint64_t position_ = 0;
};

Failure open_failure(int error, wire::Container container, const char* reason) {
  if (error == SF_ERR_UNSUPPORTED_ENCODING)
    return {wire::Status::unsupported, std::string(name(container)) + " with this codec is not supported", reason};
  return damaged(std::string(name(container)) + ": " + reason);
}

SoundFile::SoundFile(const Input& input, wire::Container container) : bytes_(input) {
  open(container);
  info_.container = container;
  info_.codec = codec_of(format_.format);
  info_.sample_rate = format_.samplerate;
  info_.channels = format_.channels;
  info_.bit_depth = bit_depth_of(format_.format);
  check_plausible(info_);
  info_.frames = format_.frames < 0 ? 0 : static_cast<std::uint64_t>(format_.frames);
  if (container == wire::Container::mp3) info_.frames = frames_of_mp3(info_.frames);
  if (format_.frames == SF_COUNT_MAX) {
    info_.frames = frames_by_decoding();
    open(container);
  }
  check_plausible(info_);
  info_.duration_seconds = static_cast<double>(info_.frames) / info_.sample_rate;
  info_.bitrate = average_bitrate(input.size(), info_.duration_seconds);
  for (const auto& [number, tag] : kTags) set_tag(info_, tag, sf_get_string(file_.get(), number));
}

void SoundFile::open(wire::Container container) {
  bytes_ = VirtualInput(bytes_.input());
  format_ = {};
  SF_VIRTUAL_IO callbacks = VirtualInput::callbacks();
  file_.reset();
  file_.reset(sf_open_virtual(&callbacks, SFM_READ, &format_, &bytes_));
  bytes_.rethrow();
  if (file_ == nullptr) {
    std::string reason = sf_strerror(nullptr);
    while (!reason.empty() && (reason.back() == '.' || reason.back() == '\n')) reason.pop_back();
    throw open_failure(sf_error(nullptr), container, reason.c_str());
  }
  if (container_of(format_.format) == wire::Container::unknown)
    throw damaged(std::string(name(container)) + " whose header says something else");
  position_ = 0;
}

// A stream that was written without knowing its end, FLAC out of a pipe for one.
std::uint64_t SoundFile::frames_by_decoding() {
  if (!bytes_.input().whole()) throw NeedsWholeInput();
  constexpr std::size_t kBlockFrames = 4096;
  std::vector<float> block(kBlockFrames * static_cast<std::size_t>(info_.channels));
  while (read(block) > 0) continue;
  return position_;
}

// libsndfile estimates from the first frame where the file does not say.
std::uint64_t SoundFile::frames_of_mp3(std::uint64_t claimed) const {
  const Input& input = bytes_.input();
  const auto first = find_mpeg_frame(input, id3_size(input));
  if (first && announces_length(input, *first)) return claimed;
  if (!input.whole()) throw NeedsWholeInput();
  return first ? count_mpeg_samples(input, *first) : claimed;
}

std::size_t SoundFile::read(std::span<float> interleaved) {
  const auto channels = static_cast<std::size_t>(info_.channels);
  const sf_count_t got =
      sf_readf_float(file_.get(), interleaved.data(), static_cast<sf_count_t>(interleaved.size() / channels));
  bytes_.rethrow();
  if (sf_error(file_.get()) != SF_ERR_NO_ERROR)
    throw damaged(std::string(sf_strerror(file_.get())) + " after " + std::to_string(position_) + " frames");
  const auto frames = static_cast<std::size_t>(std::max<sf_count_t>(got, 0));
  make_finite(interleaved.first(frames * channels));
  position_ += frames;
  return frames;
}

void SoundFile::seek(std::uint64_t frame) {
  const sf_count_t at = sf_seek(file_.get(), static_cast<sf_count_t>(frame), SEEK_SET);
  bytes_.rethrow();
  if (at != static_cast<sf_count_t>(frame)) throw damaged("could not go to frame " + std::to_string(frame));
  position_ = frame;
}

}  // namespace

std::unique_ptr<Source> open_sound_file(const Input& input, wire::Container container) {
  return std::make_unique<SoundFile>(input, container);
}

}  // namespace audiostore::audio
