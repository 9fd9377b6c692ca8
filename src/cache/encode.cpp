#include "cache/encode.hpp"

#include "mastering/operation.hpp"
#include "pg/datum.hpp"

namespace audiostore::cache {
namespace {

constexpr std::size_t kWavHeader = 44;
constexpr std::size_t kMostNameBytes = 20;
constexpr double kMostMilliseconds = 2147483647.0;

bool is_wav(std::string_view bytes) {
  return bytes.size() >= 12 && (bytes.starts_with("RIFF") || bytes.starts_with("RF64")) && bytes.substr(8, 4) == "WAVE";
}

void put_number(std::string& target, std::uint32_t value, int octets) {
  for (int i = 0; i < octets; i++) target.push_back(static_cast<char>(value >> (8 * i)));
}

// Raw samples as a WAV file: 16 bits, little-endian, interleaved.
Datum with_header(std::string_view samples, const RawAudio& raw) {
  auto const rate = static_cast<std::uint32_t>(raw.sample_rate);
  auto const frame = static_cast<std::uint32_t>(raw.channels) * 2;
  if (samples.size() % frame != 0) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "audio is not a whole number of samples",
                       "It has " + std::to_string(samples.size()) + " bytes, and " + std::to_string(frame) +
                           " for each sample of all channels.");
  }
  std::string wav = "RIFF";
  wav.reserve(samples.size() + kWavHeader);
  put_number(wav, static_cast<std::uint32_t>(samples.size() + kWavHeader - 8), 4);
  wav += "WAVEfmt ";
  put_number(wav, 16, 4);
  put_number(wav, 1, 2);  // PCM
  put_number(wav, static_cast<std::uint32_t>(raw.channels), 2);
  put_number(wav, rate, 4);
  put_number(wav, rate * frame, 4);
  put_number(wav, frame, 2);
  put_number(wav, 16, 2);
  wav += "data";
  put_number(wav, static_cast<std::uint32_t>(samples.size()), 4);
  wav += samples;
  return pg::varlena_datum(wav);
}

std::int32_t duration_or(const RawAudio& raw, double seconds) {
  if (raw.duration_ms) return *raw.duration_ms;
  return static_cast<std::int32_t>(std::min(seconds * 1000 + 0.5, kMostMilliseconds));
}

Audio to_opus(Datum wav, const RawAudio& raw) {
  auto request = mastering::request_for(audio::wire::Operation::transcode);
  request.format = audio::wire::Format::opus;
  mastering::Result result{};
  mastering::produce(request, wav, result);
  return {result.bytea(), result.reply.output_size, duration_or(raw, result.reply.info.duration_seconds), "opus"};
}

}  // namespace

Audio encode(const RawAudio& raw) {
  std::string_view const name = raw.compression;
  if (name.empty() || name.size() > kMostNameBytes) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "compression must have 1 to 20 characters", {},
                       "Write opus, pcm_s16le (raw samples to encode), none, or what the audio is, such as mp3.");
  }
  std::string_view const bytes = pg::view(raw.audio);
  if (bytes.empty()) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "audio must not be empty");
  if (name == "pcm_s16le") return to_opus(with_header(bytes, raw), raw);
  if (name == "opus" && is_wav(bytes)) return to_opus(raw.audio, raw);
  if (!raw.duration_ms) {
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "duration_ms must not be null",
                       "It is only found out of audio that is encoded here.");
  }
  Datum const plain = pg::call([&] { return PointerGetDatum(PG_DETOAST_DATUM(raw.audio)); });
  return {plain, bytes.size(), *raw.duration_ms, std::string(name)};
}

}  // namespace audiostore::cache
