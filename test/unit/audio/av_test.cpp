// What libavformat reads: files made by ffmpeg.
#include <gtest/gtest.h>

#include "decoder_call.hpp"

namespace audiostore::audio {
namespace {

using wire::Operation;
using wire::Status;

struct Kind {
  const char* arguments;
  wire::Container container;
  wire::Codec codec;
};

const Kind kKinds[] = {
    {"-c:a aac -movflags +faststart -f ipod", wire::Container::mp4, wire::Codec::aac},
    {"-c:a aac -f mp4", wire::Container::mp4, wire::Codec::aac},
    {"-c:a alac -f ipod", wire::Container::mp4, wire::Codec::alac},
    {"-c:a libopus -f webm", wire::Container::webm, wire::Codec::opus},
    {"-c:a libvorbis -f matroska", wire::Container::matroska, wire::Codec::vorbis},
    {"-c:a flac -f matroska", wire::Container::matroska, wire::Codec::flac},
    {"-c:a libopus -f caf", wire::Container::caf, wire::Codec::opus},
    {"-c:a alac -f caf", wire::Container::caf, wire::Codec::alac},
};

std::string encoded(const Signal& signal, const std::string& arguments) {
  return run_with_input("O=$INPUT.out; ffmpeg -nostdin -v error -y -i $INPUT -metadata title=Morning " + arguments +
                            " $O && cat $O; rm -f $O",
                        wav(signal));
}

TEST(OtherReader, ReadsWhatPhonesAndBrowsersUpload) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  Signal signal = programme(48000, 2, 8);
  const double loudness = measured(signal).loudness().integrated_lufs;
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.arguments);
    const std::string bytes = encoded(signal, kind.arguments);
    ASSERT_FALSE(bytes.empty());
    const wire::Reply reply = call(bytes, request(Operation::measure)).reply;
    ASSERT_EQ(reply.status, Status::ok) << reply.message.data() << ": " << reply.detail.data();
    EXPECT_EQ(reply.info.container, kind.container);
    EXPECT_EQ(reply.info.codec, kind.codec);
    EXPECT_NEAR(reply.info.duration_seconds, 8, 0.1);
    EXPECT_EQ(reply.info.channels, 2);
    EXPECT_EQ(reply.info.sample_rate, 48000);
    EXPECT_STREQ(reply.info.tags[0].data(), "Morning");
    EXPECT_NEAR(reply.loudness.integrated_lufs, loudness, 0.5);
    EXPECT_EQ(call_window(bytes, request(Operation::info), bytes.size(), 0).status, Status::needs_other_reader);
  }
}

TEST(OtherReader, SlicesAndMasters) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  const Signal signal = programme(48000, 2, 6);
  wire::Request part = request(Operation::slice);
  part.start_seconds = 2;
  part.end_seconds = 3;
  const Answer answer = call(encoded(signal, "-c:a alac -f ipod"), part);
  ASSERT_EQ(answer.reply.status, Status::ok) << answer.reply.detail.data();
  const Signal wanted = decoded(wav(signal));
  const Signal got = decoded(answer.output);
  ASSERT_EQ(got.frames(), 48000U);
  for (std::size_t i = 0; i < got.samples.size(); ++i) ASSERT_EQ(got.samples[i], wanted.samples[192000U + i]) << i;
  const Answer mastered = call(encoded(signal, "-c:a aac -f ipod"), request(Operation::master));
  ASSERT_EQ(mastered.reply.status, Status::ok) << mastered.reply.detail.data();
  EXPECT_NEAR(mastered.reply.mastering.after.integrated_lufs, -16, 0.06);
}

TEST(OtherReader, AStreamFromABrowserHasItsLengthInThePackets) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  const std::string live = run_with_input("ffmpeg -nostdin -v error -i $INPUT -c:a libopus -f webm -live 1 - | cat",
                                          wav(programme(48000, 1, 8)));
  const wire::Reply reply = call(live, request(Operation::info)).reply;
  ASSERT_EQ(reply.status, Status::ok) << reply.detail.data();
  EXPECT_NEAR(reply.info.duration_seconds, 8, 0.1);
}

TEST(OtherReader, VideoWithoutSoundIsNotAudio) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  const std::string video = run_with_input(
      "O=$INPUT.out; ffmpeg -nostdin -v error -y -f lavfi -i testsrc=d=1:s=64x64 -c:v mpeg4 -f mp4 $O && cat $O; rm -f "
      "$O",
      "x");
  const wire::Reply reply = call(video, request(Operation::info)).reply;
  EXPECT_EQ(reply.status, Status::not_audio);
  EXPECT_STREQ(reply.detail.data(), "MP4 without an audio stream");
}

TEST(OtherReader, DamageEndsInAReply) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  std::uint32_t seed = 5;
  for (const Kind& kind : kKinds) {
    const std::string bytes = encoded(programme(48000, 1, 1.5), kind.arguments);
    for (int round = 0; round < 40; ++round) {
      std::string mutated = bytes;
      for (int change = 0; change <= round % 6; ++change) {
        seed = seed * 1664525 + 1013904223;
        mutated[(seed >> 4) % (round % 2 == 0 ? std::min<std::size_t>(800, bytes.size()) : bytes.size())] =
            static_cast<char>(seed >> 24);
      }
      if (round % 5 == 0) mutated.resize(mutated.size() / 2);
      const wire::Reply reply = call(mutated, request(Operation::measure)).reply;
      EXPECT_LE(reply.status, Status::failed);
      EXPECT_EQ(reply.status == Status::ok, reply.message[0] == '\0');
    }
  }
}

}  // namespace
}  // namespace audiostore::audio
