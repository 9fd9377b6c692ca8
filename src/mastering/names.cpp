#include "mastering/names.hpp"

#include <array>

#include "pg/guard.hpp"

namespace audiostore::mastering {
namespace {

namespace wire = audio::wire;

constexpr std::array<std::string_view, 13> kContainers = {"unknown", "wav", "rf64", "w64", "flac",     "ogg", "mp3",
                                                          "aiff",    "caf", "au",   "mp4", "matroska", "webm"};
constexpr std::array<std::string_view, 21> kCodecs = {
    "unknown",  "pcm_s8", "pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64", "ulaw", "alaw", "ima_adpcm",
    "ms_adpcm", "gsm",    "g72x",   "alac",    "flac",    "vorbis",  "opus",    "mp3",     "aac",  "other"};
constexpr std::array<std::string_view, wire::kTags> kTagNames = {
    "title", "artist", "album", "date", "genre", "track", "comment", "copyright", "license", "software"};
constexpr std::array<std::string_view, 6> kOutcomes = {"none",    "gain",      "limited",
                                                       "silence", "too_short", "target_not_reached"};
constexpr std::array<std::string_view, 6> kFormats = {"", "wav", "flac", "ogg", "opus", "mp3"};

static_assert(kContainers[static_cast<std::size_t>(wire::Container::webm)] == "webm");
static_assert(kCodecs[static_cast<std::size_t>(wire::Codec::other)] == "other");
static_assert(kTagNames[static_cast<std::size_t>(wire::Tag::software)] == "software");
static_assert(kOutcomes[static_cast<std::size_t>(wire::Outcome::target_not_reached)] == "target_not_reached");
static_assert(kFormats[static_cast<std::size_t>(wire::Format::mp3)] == "mp3");

}  // namespace

std::string_view name_of(wire::Container container) { return kContainers.at(static_cast<std::size_t>(container)); }
std::string_view name_of(wire::Codec codec) { return kCodecs.at(static_cast<std::size_t>(codec)); }
std::string_view name_of(wire::Tag tag) { return kTagNames.at(static_cast<std::size_t>(tag)); }
std::string_view name_of(wire::Outcome outcome) { return kOutcomes.at(static_cast<std::size_t>(outcome)); }

wire::Format format_named(std::string_view name) {
  for (std::size_t i = 1; i < kFormats.size(); i++) {
    if (kFormats[i] == name) return static_cast<wire::Format>(i);
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + std::string(name) + "\" is no format that can be written",
                     {}, "Valid formats are: wav, flac, ogg, opus, mp3.");
}

}  // namespace audiostore::mastering
