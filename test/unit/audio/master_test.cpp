#include <gtest/gtest.h>

#include "decoder_call.hpp"

namespace audiostore::audio {
namespace {

using wire::Format;
using wire::Operation;
using wire::Outcome;
using wire::Status;

// Peaks far above the level: the target cannot be reached without the limiter.
Signal spiky() {
  Signal signal = programme(44100, 2, 20);
  for (std::size_t i = 0; i < signal.frames(); i += 20000)
    for (std::size_t k = 0; k < 40 && i + k < signal.frames(); ++k)
      signal.samples[2 * (i + k)] +=
          0.6F * static_cast<float>(std::sin(static_cast<double>(k) * std::numbers::pi / 40));
  return signal;
}

void expect_on_target(const Answer& answer, double tolerance = 0.06) {
  ASSERT_EQ(answer.reply.status, Status::ok) << answer.reply.message.data() << answer.reply.detail.data();
  EXPECT_NEAR(answer.reply.mastering.after.integrated_lufs, -16, tolerance);
  EXPECT_LE(answer.reply.mastering.after.true_peak_dbtp, -1);
  EXPECT_EQ(answer.output.size(), answer.reply.output_size);
}

TEST(Master, IsOneGainWhereNothingPassesTheCeiling) {
  Signal signal;
  add_tone(signal, 5, -30);
  const Answer answer = call(wav(signal), request(Operation::master));
  expect_on_target(answer);
  EXPECT_EQ(answer.reply.mastering.outcome, Outcome::gain);
  EXPECT_NEAR(answer.reply.mastering.gain_db, 14, 0.1);
  EXPECT_EQ(answer.reply.mastering.max_reduction_db, 0);
  const Signal result = decoded(answer.output);
  ASSERT_EQ(result.frames(), signal.frames());
  const auto gain = static_cast<float>(from_db(answer.reply.mastering.gain_db));
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    ASSERT_NEAR(result.samples[i], signal.samples[i] * gain, 6.0F / 32768 + 1e-5F) << i;
}

TEST(Master, LimitsOnlyWhatPassesTheCeiling) {
  const Signal signal = spiky();
  const Answer answer = call(wav(signal), request(Operation::master));
  expect_on_target(answer);
  EXPECT_EQ(answer.reply.mastering.outcome, Outcome::limited);
  EXPECT_GT(answer.reply.mastering.max_reduction_db, 0.5);
  EXPECT_LT(answer.reply.mastering.limited_seconds, 15);
  EXPECT_GT(answer.reply.mastering.limited_seconds, 0.01);
  // Away from the limiter there is the gain and nothing else.
  const Signal result = decoded(answer.output);
  ASSERT_EQ(result.frames(), signal.frames());
  const auto gain = static_cast<float>(from_db(answer.reply.mastering.gain_db));
  std::size_t same = 0;
  for (std::size_t i = 0; i < result.samples.size(); ++i)
    if (std::abs(result.samples[i] - signal.samples[i] * gain) < 4.0F / 32768) ++same;
  EXPECT_GT(same, result.samples.size() / 10);
}

TEST(Master, EveryFormatLandsOnTargetAndUnderTheCeiling) {
  for (const Format format : {Format::wav, Format::flac, Format::ogg, Format::opus, Format::mp3}) {
    SCOPED_TRACE(static_cast<int>(format));
    expect_on_target(call(wav(spiky()), request(Operation::master, format)), 0.11);
  }
}

TEST(Master, TheFiguresAreThoseOfTheResult) {
  const Answer answer = call(wav(spiky()), request(Operation::master));
  const Answer again = call(answer.output, request(Operation::measure));
  EXPECT_NEAR(again.reply.loudness.integrated_lufs, answer.reply.mastering.after.integrated_lufs, 1e-6);
  EXPECT_NEAR(again.reply.loudness.true_peak_dbtp, answer.reply.mastering.after.true_peak_dbtp, 1e-6);
  EXPECT_EQ(again.reply.info.frames, answer.reply.output_info.frames);
  EXPECT_EQ(again.reply.info.bit_depth, 16);
}

TEST(Master, IsTheSameEveryTime) {
  const std::string bytes = wav(spiky());
  EXPECT_EQ(call(bytes, request(Operation::master)).output, call(bytes, request(Operation::master)).output);
}

TEST(Master, SilenceAndWhatIsTooShortGoThroughUntouched) {
  Signal silence;
  add_tone(silence, 2, -80);
  const Answer silent = call(wav(silence, 24), request(Operation::master));
  EXPECT_EQ(silent.reply.status, Status::ok);
  EXPECT_EQ(silent.reply.mastering.outcome, Outcome::silence);
  EXPECT_EQ(silent.reply.mastering.gain_db, 0);
  EXPECT_EQ(decoded(silent.output).samples, decoded(wav(silence, 24)).samples);
  Signal brief;
  add_tone(brief, 0.3, -20);
  const Answer short_one = call(wav(brief), request(Operation::master));
  EXPECT_EQ(short_one.reply.mastering.outcome, Outcome::too_short);
  EXPECT_EQ(decoded(short_one.output).samples, decoded(wav(brief)).samples);
  EXPECT_EQ(call(wav(Signal{}), request(Operation::master)).reply.mastering.outcome, Outcome::too_short);
}

TEST(Master, StopsWhereTheLimiterWouldCutTooMuch) {
  Signal signal{48000, 1, {}};
  add_tone(signal, 10, -60);
  for (std::size_t i = 0; i < signal.samples.size(); i += 48000) signal.samples[i] = 0.9F;
  const Answer answer = call(wav(signal, 24), request(Operation::master));
  EXPECT_EQ(answer.reply.status, Status::ok);
  EXPECT_EQ(answer.reply.mastering.outcome, Outcome::target_not_reached);
  EXPECT_NEAR(answer.reply.mastering.max_reduction_db, 12, 0.1);
  EXPECT_LE(answer.reply.mastering.after.true_peak_dbtp, -1);
  EXPECT_LT(answer.reply.mastering.after.integrated_lufs, -17);
}

TEST(Master, KeepsTheBitDepthOfTheSource) {
  Signal signal;
  add_tone(signal, 2, -30);
  EXPECT_EQ(call(wav(signal, 16), request(Operation::master)).reply.output_info.bit_depth, 16);
  EXPECT_EQ(call(wav(signal, 24), request(Operation::master)).reply.output_info.bit_depth, 24);
  EXPECT_EQ(call(wav(signal, 32), request(Operation::master, Format::flac)).reply.output_info.bit_depth, 24);
}

TEST(Master, RefusesTargetsThatAreNone) {
  Signal signal;
  add_tone(signal, 1, -30);
  for (const double target : {1.0, -71.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    wire::Request wrong = request(Operation::master);
    wrong.target_lufs = target;
    EXPECT_EQ(call(wav(signal), wrong).reply.status, Status::invalid_argument);
    wrong = request(Operation::master);
    wrong.max_true_peak_dbtp = target;
    EXPECT_EQ(call(wav(signal), wrong).reply.status, Status::invalid_argument);
  }
}

TEST(Master, FfmpegAgreesOnRealSpeech) {
  if (!has_ffmpeg()) GTEST_SKIP() << "no ffmpeg";
  std::size_t heard = 0;
  for (const char* path :
       {"/usr/share/sounds/alsa/Front_Center.wav", "/usr/share/asterisk/sounds/en/vm-intro.wav",
        "/usr/share/asterisk/sounds/en/demo-congrats.wav", "/usr/share/asterisk/sounds/en_US_f_Allison/vm-intro.wav"}) {
    const std::string speech = read_file(path);
    if (speech.empty()) continue;
    ++heard;
    SCOPED_TRACE(path);
    const Answer answer = call(speech, request(Operation::master));
    expect_on_target(answer);
    for (const std::string& bytes : {speech, answer.output}) {
      const std::string printed = run_with_input(
          "ffmpeg -nostdin -hide_banner -nostats -i $INPUT -af ebur128=peak=true:framelog=verbose -f null - 2>&1",
          bytes);
      const std::size_t summary = printed.find("Summary:");
      ASSERT_NE(summary, std::string::npos) << printed;
      const double integrated = std::strtod(printed.c_str() + printed.find("I:", summary) + 2, nullptr);
      const double peak = std::strtod(printed.c_str() + printed.find("Peak:", summary) + 5, nullptr);
      const wire::Loudness ours = call(bytes, request(Operation::measure)).reply.loudness;
      EXPECT_NEAR(ours.integrated_lufs, integrated, 0.1);
      EXPECT_NEAR(ours.true_peak_dbtp, peak, 0.2);
    }
  }
  if (heard == 0) GTEST_SKIP() << "no recorded speech installed";
}

}  // namespace
}  // namespace audiostore::audio
