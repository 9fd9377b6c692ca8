// What is no audio, what lies, what is cut off, and windows onto what is whole.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "decoder_call.hpp"

namespace audiostore::audio {
namespace {

using wire::Format;
using wire::Operation;
using wire::Status;

wire::Reply info(const std::string& bytes) { return call(bytes, request(Operation::info)).reply; }

template <typename Number>
std::string with(std::string bytes, std::size_t offset, Number value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

TEST(Sniff, WhatIsNotAudioIsRefusedByName) {
  const std::pair<std::string, std::string> looks[] = {
      {"\x89PNG\r\n\x1A\n........", "it looks like a PNG image"},
      {"%PDF-1.7 and more", "it looks like a PDF document"},
      {"PK\x03\x04 and more", "it looks like a ZIP archive"},
      {"<!DOCTYPE html>", "it looks like an HTML page"},
      {std::string(1000, '\0'), "it starts like no audio container; raw samples without a header are not accepted"},
      {"", "it is empty"},
  };
  for (const auto& [bytes, detail] : looks) {
    const wire::Reply reply = info(bytes);
    EXPECT_EQ(reply.status, Status::not_audio);
    EXPECT_STREQ(reply.message.data(), "not audio");
    EXPECT_EQ(reply.detail.data(), detail);
  }
}

TEST(Sniff, RawSamplesAreNotTakenForMp3) {
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::string noise(40000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    noise[0] = 'x';
    EXPECT_EQ(info(noise).status, Status::not_audio);
  }
}

TEST(Sniff, WhatIsNotReadIsRefusedByName) {
  EXPECT_STREQ(info("wvpk and more ...............").message.data(), "WavPack is not supported");
  EXPECT_STREQ(info("#!AMR\n ..............").message.data(), "AMR is not supported");
  EXPECT_EQ(info(std::string("\xFF\xF1\x50\x80\x02\x1F\xFC", 7)).status, Status::unsupported);
}

TEST(Hostile, HeadersThatLie) {
  Signal signal;
  add_tone(signal, 1, -20);
  const std::string good = wav(signal);
  ASSERT_EQ(good.substr(12, 4), "fmt ");
  constexpr std::size_t kChannels = 22;
  constexpr std::size_t kRate = 24;
  const std::string lies[] = {
      with<std::uint16_t>(good, kChannels, 0),  with<std::uint16_t>(good, kChannels, 65535),
      with<std::uint16_t>(good, kChannels, 65), with<std::uint32_t>(good, kRate, 0),
      with<std::uint32_t>(good, kRate, 999),    with<std::uint32_t>(good, kRate, 0x80000000U),
      with<std::uint32_t>(good, kRate, 768001), with<std::uint16_t>(good, 34, 0),
      with<std::uint16_t>(good, 20, 0xBEEF),    good.substr(0, 20),
  };
  for (const std::string& lie : lies)
    for (const Operation operation : {Operation::info, Operation::measure, Operation::master}) {
      const wire::Reply reply = call(lie, request(operation)).reply;
      EXPECT_TRUE(reply.status == Status::damaged || reply.status == Status::unsupported)
          << static_cast<int>(reply.status) << reply.detail.data();
      EXPECT_NE(reply.message[0], '\0');
    }
}

TEST(Hostile, AnAuOf2To31ChannelsIsDamaged) {
  std::string au(".snd\0\0\0\x18\xFF\xFF\xFF\xFF\0\0\0\x03\0\0\xAC\x44\x80\0\0\0", 24);
  au += std::string(1000, 'x');
  EXPECT_EQ(info(au).status, Status::damaged);
}

TEST(Hostile, EndlessChunks) {
  std::string wave("RIFF\xFF\xFF\xFF\xFFWAVE", 12);
  for (int i = 0; i < 20000; ++i) wave += std::string("junk\0\0\0\0", 8);
  EXPECT_EQ(info(wave).status, Status::damaged);
}

TEST(Hostile, ACutOffFlacIsDamaged) {
  const std::string flac = call(wav(programme(44100, 2, 5)), request(Operation::transcode, Format::flac)).output;
  EXPECT_EQ(info(flac.substr(0, flac.size() / 2)).status, Status::ok);  // the header is whole
  const wire::Reply reply = call(flac.substr(0, flac.size() / 2), request(Operation::measure)).reply;
  EXPECT_EQ(reply.status, Status::damaged);
  EXPECT_STREQ(reply.message.data(), "audio is damaged");
}

TEST(Hostile, FloatsThatAreNoNumbers) {
  Signal signal;
  add_tone(signal, 2, -20);
  for (std::size_t i = 0; i < signal.samples.size(); i += 97) signal.samples[i] = i % 2 == 0 ? NAN : INFINITY;
  signal.samples[1000] = 3e38F;
  const std::string bytes = wav(signal, 32);
  for (const Operation operation : {Operation::measure, Operation::master, Operation::waveform}) {
    const wire::Reply reply = call(bytes, request(operation)).reply;
    EXPECT_EQ(reply.status, Status::ok);
    EXPECT_FALSE(std::isnan(reply.loudness.integrated_lufs));
    EXPECT_FALSE(std::isnan(reply.loudness.true_peak_dbtp));
    EXPECT_FALSE(std::isnan(reply.mastering.after.integrated_lufs));
  }
}

TEST(Hostile, SamplesFarBeyondFullScaleAreEncoded) {
  Signal signal = programme(22050, 1, 2);
  for (std::size_t i = 0; i < signal.samples.size(); ++i) signal.samples[i] *= i % 1000 < 500 ? 1e30F : 1e-30F;
  for (const Format format : {Format::wav, Format::flac, Format::ogg, Format::opus, Format::mp3})
    EXPECT_EQ(call(wav(signal, 32), request(Operation::transcode, format)).reply.status, Status::ok);
}

TEST(Hostile, MutationsOfEveryContainerEndInAReply) {
  std::mt19937 random(20240229);
  const std::string original = wav(programme(16000, 1, 1.5));
  for (const Format format : {Format::wav, Format::flac, Format::ogg, Format::opus, Format::mp3}) {
    const std::string bytes = call(original, request(Operation::transcode, format)).output;
    for (int round = 0; round < 60; ++round) {
      std::string mutated = bytes;
      const std::size_t area = round % 2 == 0 ? std::min<std::size_t>(200, mutated.size()) : mutated.size();
      for (int change = 0; change < 1 + round % 8; ++change) mutated[random() % area] = static_cast<char>(random());
      if (round % 5 == 0) mutated.resize(random() % mutated.size());
      const auto operation = static_cast<Operation>(1 + random() % 7);
      wire::Request asked = request(operation);
      asked.max_output = 1 << 24;
      const wire::Reply reply = call(mutated, asked).reply;
      EXPECT_EQ(reply.magic, wire::kReplyMagic);
      EXPECT_LE(reply.status, Status::failed);
      EXPECT_EQ(reply.status == Status::ok, reply.message[0] == '\0');
      EXPECT_FALSE(std::isnan(reply.loudness.integrated_lufs));
    }
  }
}

TEST(Window, HeaderWorkIsEnoughForInfo) {
  const std::string original = wav(programme(44100, 2, 30));
  constexpr std::uint64_t kHead = 32768;
  constexpr std::uint64_t kTail = 65536;
  for (const Format format : {Format::wav, Format::flac, Format::ogg, Format::opus, Format::mp3}) {
    SCOPED_TRACE(static_cast<int>(format));
    const std::string bytes = call(original, request(Operation::transcode, format)).output;
    ASSERT_GT(bytes.size(), kHead + kTail);
    const wire::Reply whole = info(bytes);
    const wire::Reply window = call_window(bytes, request(Operation::info), kHead, kTail);
    ASSERT_EQ(window.status, Status::ok) << window.detail.data();
    EXPECT_EQ(window.info.frames, whole.info.frames);
    EXPECT_EQ(window.info.bitrate, whole.info.bitrate);
    EXPECT_EQ(call_window(bytes, request(Operation::measure), kHead, kTail).status, Status::needs_whole_input);
  }
}

TEST(Window, LengthsThatOnlyTheWholeFileTells) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  const std::string original = wav(programme(44100, 2, 30));
  for (const char* encoder : {"-c:a libmp3lame -b:a 64k -write_xing 0 -f mp3", "-c:a flac -f flac"}) {
    SCOPED_TRACE(encoder);
    const std::string bytes =
        run_with_input(std::string("ffmpeg -nostdin -v error -i $INPUT ") + encoder + " - | cat", original);
    EXPECT_EQ(call_window(bytes, request(Operation::info), 32768, 65536).status, Status::needs_whole_input);
    const wire::Reply reply = info(bytes);
    ASSERT_EQ(reply.status, Status::ok) << reply.detail.data();
    EXPECT_NEAR(reply.info.duration_seconds, 30, 0.1);
    EXPECT_EQ(call(bytes, request(Operation::measure)).reply.status, Status::ok);
  }
}

}  // namespace
}  // namespace audiostore::audio
