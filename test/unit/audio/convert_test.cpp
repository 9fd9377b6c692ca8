// Transcoding, slices, trimming and waveforms through perform().
#include <gtest/gtest.h>

#include <cstring>

#include "decoder_call.hpp"

namespace audiostore::audio {
namespace {

using wire::Format;
using wire::Operation;
using wire::Status;

// Sample i is i / 32768, so that a slice tells where it was cut.
Signal ramp(std::size_t frames, int sample_rate = 44100) {
  Signal signal{sample_rate, 1, {}};
  for (std::size_t i = 0; i < frames; ++i) signal.samples.push_back(static_cast<float>(i) / 32768.0F);
  return signal;
}

wire::Request slice(double start, double end, Format format = Format::wav) {
  wire::Request made = request(Operation::slice, format);
  made.start_seconds = start;
  made.end_seconds = end;
  return made;
}

TEST(Transcode, LosslessFormatsKeepEverySample) {
  for (const int depth : {16, 24}) {
    const std::string original = wav(programme(44100, 2, 3), depth);
    const Answer flac = call(original, request(Operation::transcode, Format::flac));
    ASSERT_EQ(flac.reply.status, Status::ok) << flac.reply.detail.data();
    EXPECT_EQ(flac.reply.output_info.container, wire::Container::flac);
    EXPECT_EQ(flac.reply.output_info.bit_depth, depth);
    const Answer back = call(flac.output, request(Operation::transcode, Format::wav));
    EXPECT_EQ(decoded(back.output).samples, decoded(original).samples);
  }
}

TEST(Transcode, EveryFormatGoesThereAndBack) {
  Signal signal = programme(44100, 2, 5);
  for (const Format format : {Format::wav, Format::flac, Format::ogg, Format::opus, Format::mp3}) {
    SCOPED_TRACE(static_cast<int>(format));
    const Answer there = call(wav(signal), request(Operation::transcode, format));
    ASSERT_EQ(there.reply.status, Status::ok) << there.reply.message.data() << there.reply.detail.data();
    const Answer heard = call(there.output, request(Operation::measure));
    ASSERT_EQ(heard.reply.status, Status::ok) << heard.reply.detail.data();
    EXPECT_EQ(heard.reply.info.codec, there.reply.output_info.codec);
    EXPECT_EQ(heard.reply.info.container, there.reply.output_info.container);
    EXPECT_NEAR(heard.reply.info.duration_seconds, 5, 0.1);
    EXPECT_NEAR(heard.reply.loudness.integrated_lufs, measured(signal).loudness().integrated_lufs, 1);
    const Answer kept = call(there.output, request(Operation::transcode, Format::keep));
    EXPECT_EQ(kept.reply.output_info.codec, there.reply.output_info.codec);
  }
}

TEST(Transcode, ResamplesAndMixes) {
  wire::Request asked = request(Operation::transcode);
  asked.sample_rate = 16000;
  asked.channels = 1;
  Signal signal;
  add_tone(signal, 2, {-20, -26});
  const Answer answer = call(wav(signal), asked);
  ASSERT_EQ(answer.reply.status, Status::ok);
  const Signal result = decoded(answer.output);
  EXPECT_EQ(result.sample_rate, 16000);
  EXPECT_EQ(result.channels, 1);
  EXPECT_NEAR(static_cast<double>(result.frames()), 32000, 2);
  EXPECT_NEAR(measured(result).loudness().sample_peak_dbfs, 20 * std::log10((0.1 + 0.05012) / 2), 0.05);
}

TEST(Transcode, SurroundBecomesStereoByBs775AndCannotClip) {
  wire::Request asked = request(Operation::transcode);
  asked.channels = 2;
  Signal signal{48000, 6, std::vector<float>(28800U, 0.99F)};
  const Signal loud = decoded(call(wav(signal, 24), asked).output);
  EXPECT_NEAR(loud.samples[1000], 0.99, 1e-3);
  signal.samples.assign(28800U, 0);
  for (std::size_t i = 0; i < 4800; ++i) {
    signal.samples[6 * i] = 0.5F;      // left
    signal.samples[6 * i + 3] = 0.5F;  // low frequency effects, left out
  }
  const Signal left = decoded(call(wav(signal, 24), asked).output);
  EXPECT_NEAR(left.samples[1000], 0.5 / (1 + std::numbers::sqrt2), 1e-4);
  EXPECT_EQ(left.samples[1001], 0);
}

TEST(Transcode, RefusesWhatAFormatDoesNotCarry) {
  const auto refused = [](const Signal& signal, Format format, int rate, int channels) {
    wire::Request asked = request(Operation::transcode, format);
    asked.sample_rate = rate;
    asked.channels = channels;
    return call(wav(signal), asked).reply.status == Status::invalid_argument;
  };
  EXPECT_TRUE(refused(ramp(1000), Format::opus, 44100, 0));
  EXPECT_TRUE(refused(ramp(1000), Format::mp3, 96000, 0));
  EXPECT_TRUE(refused(ramp(1000), Format::wav, 10, 0));
  EXPECT_TRUE(refused(ramp(1000), Format::wav, 0, 65));
  EXPECT_TRUE(refused(ramp(1000), Format::wav, 0, -1));
  EXPECT_TRUE(refused(programme(48000, 6, 1), Format::mp3, 0, 0));
  EXPECT_TRUE(refused(ramp(1000), Format::wav, 0, 6));
}

TEST(Transcode, ABitrateIsKept) {
  for (const Format format : {Format::opus, Format::mp3, Format::ogg}) {
    wire::Request asked = request(Operation::transcode, format);
    asked.bitrate_kbps = 96;
    const Answer answer = call(wav(programme(48000, 2, 20)), asked);
    ASSERT_EQ(answer.reply.status, Status::ok);
    EXPECT_NEAR(answer.reply.output_info.bitrate, 96000, 40000) << static_cast<int>(format);
  }
}

TEST(Transcode, StopsAtTheMostThatWasAskedFor) {
  wire::Request asked = request(Operation::transcode);
  asked.max_output = 10000;
  EXPECT_EQ(call(wav(ramp(30000)), asked).reply.status, Status::too_large);
  for (const Format format : {Format::flac, Format::ogg, Format::opus, Format::mp3}) {
    asked.format = format;
    asked.max_output = 3000;
    EXPECT_EQ(call(wav(programme(44100, 2, 5)), asked).reply.status, Status::too_large) << static_cast<int>(format);
  }
}

TEST(Transcode, TagsGoAlong) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  const std::string tagged = run_with_input(
      "ffmpeg -nostdin -v error -i $INPUT -metadata title='Gr\xC3\xBC\xC3\x9F"
      "e' -metadata artist=Somebody -f flac -",
      wav(ramp(30000)));
  const Answer answer = call(tagged, request(Operation::transcode, Format::ogg));
  EXPECT_STREQ(answer.reply.info.tags[0].data(),
               "Gr\xC3\xBC\xC3\x9F"
               "e");
  const Answer again = call(answer.output, request(Operation::info));
  EXPECT_STREQ(again.reply.info.tags[0].data(),
               "Gr\xC3\xBC\xC3\x9F"
               "e");
  EXPECT_STREQ(again.reply.info.tags[1].data(), "Somebody");
}

TEST(Slice, IsExactToTheSample) {
  const Signal signal = ramp(30000);
  for (const Format source : {Format::wav, Format::flac}) {
    const std::string bytes = call(wav(signal), request(Operation::transcode, source)).output;
    const Answer answer = call(bytes, slice(0.1, 0.5));
    ASSERT_EQ(answer.reply.status, Status::ok) << answer.reply.message.data();
    const Signal result = decoded(answer.output);
    ASSERT_EQ(result.frames(), 22050U - 4410U);
    for (std::size_t i = 0; i < result.frames(); ++i) ASSERT_EQ(result.samples[i], signal.samples[4410 + i]) << i;
  }
  EXPECT_EQ(decoded(call(wav(signal), slice(0.5, INFINITY)).output).frames(), 30000U - 22050U);
  EXPECT_EQ(decoded(call(wav(signal), slice(0, 1 / 44100.0)).output).frames(), 1U);
}

// A piece of lossy audio is the same samples that decoding all of it gives there.
TEST(Slice, IsExactInLossyAudioToo) {
  for (const Format format : {Format::ogg, Format::opus, Format::mp3}) {
    SCOPED_TRACE(static_cast<int>(format));
    const std::string bytes = call(wav(programme(48000, 2, 6), 16), request(Operation::transcode, format)).output;
    const Signal all = decoded(bytes);
    const Answer answer = call(bytes, slice(2.5, 3.5));
    ASSERT_EQ(answer.reply.status, Status::ok) << answer.reply.message.data();
    const Signal part = decoded(answer.output);
    ASSERT_EQ(part.frames(), 48000U);
    std::size_t apart = 0;
    for (std::size_t i = 0; i < part.samples.size(); ++i)
      if (std::abs(part.samples[i] - all.samples[240000U + i]) > 3.0F / 32768) ++apart;
    EXPECT_LT(apart, part.samples.size() / 100);
  }
}

TEST(Slice, RefusesTimesThatDoNotFit) {
  const std::string bytes = wav(ramp(30000));
  for (const auto& [start, end] : std::initializer_list<std::pair<double, double>>{
           {1, 2}, {0.2, 0.1}, {0.2, 0.2}, {-1, 0.1}, {NAN, 0.1}, {0, NAN}, {0, 0.7}, {INFINITY, INFINITY}}) {
    const wire::Reply reply = call(bytes, slice(start, end)).reply;
    EXPECT_EQ(reply.status, Status::invalid_argument) << start << ' ' << end;
    EXPECT_NE(reply.message[0], '\0');
  }
}

TEST(Trim, LeavesThePaddingAtBothEnds) {
  Signal signal{16000, 1, {}};
  add_silence(signal, 1);
  add_tone(signal, 2, -20);
  add_tone(signal, 3, -60);
  const Answer answer = call(wav(signal), request(Operation::trim));
  EXPECT_NEAR(answer.reply.output_info.duration_seconds, 2.2, 0.002);
  wire::Request tight = request(Operation::trim);
  tight.padding_seconds = 0;
  EXPECT_NEAR(call(wav(signal), tight).reply.output_info.duration_seconds, 2, 0.002);
  tight.padding_seconds = 100;
  EXPECT_NEAR(call(wav(signal), tight).reply.output_info.duration_seconds, 6, 0.002);
  Signal silence{16000, 1, {}};
  add_silence(silence, 3);
  EXPECT_NEAR(call(wav(silence), request(Operation::trim)).reply.output_info.duration_seconds, 0.2, 1e-6);
}

std::vector<float> points(const Answer& answer) {
  std::vector<float> values(answer.output.size() / sizeof(float));
  std::memcpy(values.data(), answer.output.data(), answer.output.size());
  return values;
}

TEST(Waveform, PutsEveryFrameIntoOnePoint) {
  wire::Request asked = request(Operation::waveform);
  asked.points = 7;
  const std::vector<float> values = points(call(wav(ramp(30000)), asked));
  ASSERT_EQ(values.size(), 21U);
  for (std::size_t i = 0; i < 7; ++i) {
    const std::size_t first = 30000 * i / 7;
    const std::size_t last = 30000 * (i + 1) / 7 - 1;
    EXPECT_EQ(values[i], static_cast<float>(first) / 32768.0F);
    EXPECT_EQ(values[7 + i], static_cast<float>(last) / 32768.0F);
    EXPECT_GE(values[14 + i], values[i]);
    EXPECT_LE(values[14 + i], values[7 + i]);
  }
}

TEST(Waveform, FewerFramesThanPointsShowTheFramesThereAre) {
  wire::Request asked = request(Operation::waveform);
  asked.points = 10;
  const std::vector<float> values = points(call(wav(ramp(4)), asked));
  ASSERT_EQ(values.size(), 30U);
  for (std::size_t i = 1; i < 10; ++i) EXPECT_GE(values[i], values[i - 1]);
  EXPECT_EQ(values[9], 3 / 32768.0F);
  EXPECT_EQ(points(call(wav(Signal{}), asked)), std::vector<float>(30));
  asked.points = 0;
  EXPECT_EQ(call(wav(ramp(4)), asked).reply.status, Status::invalid_argument);
}

}  // namespace
}  // namespace audiostore::audio
