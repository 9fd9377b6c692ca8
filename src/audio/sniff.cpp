#include "audio/sniff.hpp"

#include <array>
#include <string>
#include <string_view>

#include "audio/mpeg_frame.hpp"

namespace audiostore::audio {

namespace {

using wire::Container;

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* what;
};

using namespace std::string_view_literals;

// What people upload by mistake; the name in the message saves them a guess.
constexpr std::array kNotAudio = {
    Magic{0, "\x89PNG"sv, "a PNG image"},
    Magic{0, "\xFF\xD8\xFF"sv, "a JPEG image"},
    Magic{0, "GIF8"sv, "a GIF image"},
    Magic{8, "WEBP"sv, "a WebP image"},
    Magic{0, "%PDF"sv, "a PDF document"},
    Magic{0, "PK\x03\x04"sv, "a ZIP archive"},
    Magic{0, "\x1F\x8B"sv, "gzip data"},
    Magic{0,
          "\x7F"
          "ELF"sv,
          "a program"},
    Magic{0, "<!DOCTYPE"sv, "an HTML page"},
    Magic{0, "<html"sv, "an HTML page"},
    Magic{0, "<?xml"sv, "an XML document"},
    Magic{0, "{"sv, "JSON or text"},
    Magic{8, "AVI "sv, "an AVI video"},
    Magic{0, "MThd"sv, "a MIDI file, which has notes and no sound"},
};

// Audio that neither reader is built for.
constexpr std::array kUnsupported = {
    Magic{0, "wvpk"sv, "WavPack"},
    Magic{0, "MAC "sv, "Monkey's Audio"},
    Magic{0, "#!AMR"sv, "AMR"},
    Magic{0, "\x30\x26\xB2\x75\x8E\x66\xCF\x11"sv, "Windows Media"},
    Magic{0, "TTA1"sv, "True Audio"},
    Magic{0, "MPCK"sv, "Musepack"},
    Magic{0, "DSD "sv, "DSD"},
    Magic{0, "FRM8"sv, "DSD"},
    Magic{0, "FLV\x01"sv, "Flash Video"},
    Magic{0, "2BIT"sv, "AVR"},
    Magic{0, "Creative Voice File"sv, "Creative Voice"},
};

constexpr std::string_view kWave64 = "riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00"sv;

bool at(std::string_view head, std::size_t offset, std::string_view bytes) {
  return head.size() >= offset + bytes.size() && head.substr(offset, bytes.size()) == bytes;
}

// CAF names its codec in the description chunk, which the format wants first.
bool caf_needs_other_reader(std::string_view head) {
  if (!at(head, 8, "desc")) return false;
  const std::string_view codec = head.size() >= 32 ? head.substr(28, 4) : std::string_view();
  return codec != "lpcm" && codec != "alac" && codec != "ulaw" && codec != "alaw";
}

void check_ogg(std::string_view head) {
  constexpr std::size_t kPageHeader = 27;
  if (head.size() <= kPageHeader) throw damaged("Ogg: it ends in its first page");
  const std::size_t packet = kPageHeader + static_cast<unsigned char>(head[26]);
  constexpr std::array kRefused = {Magic{0, "\x80theora"sv, "video"}, Magic{0, "fishead"sv, "Skeleton"},
                                   Magic{0, "Speex"sv, "Speex"},
                                   Magic{0,
                                         "\x7F"
                                         "FLAC"sv,
                                         "FLAC"}};
  for (const Magic& magic : kRefused)
    if (at(head, packet, magic.bytes))
      throw Failure(wire::Status::unsupported, std::string("Ogg with ") + magic.what + " is not supported");
}

std::optional<Sniffed> known(std::string_view head) {
  if (at(head, 0, "RIFF") && at(head, 8, "WAVE")) return Sniffed{Container::wav};
  if (at(head, 0, "RIFX") && at(head, 8, "WAVE")) return Sniffed{Container::wav};
  if ((at(head, 0, "RF64") || at(head, 0, "BW64")) && at(head, 8, "WAVE")) return Sniffed{Container::rf64};
  if (at(head, 0, kWave64)) return Sniffed{Container::w64};
  if (at(head, 0, "fLaC")) return Sniffed{Container::flac};
  if (at(head, 0, "OggS")) {
    check_ogg(head);
    return Sniffed{Container::ogg};
  }
  if (at(head, 0, "FORM") && (at(head, 8, "AIFF") || at(head, 8, "AIFC"))) return Sniffed{Container::aiff};
  if (at(head, 0, "caff")) return Sniffed{Container::caf, caf_needs_other_reader(head)};
  if (at(head, 0, ".snd") || at(head, 0, "dns.")) return Sniffed{Container::au};
  if (at(head, 4, "ftyp")) return Sniffed{Container::mp4, true};
  if (at(head, 0, "\x1A\x45\xDF\xA3")) {
    const bool webm = head.substr(0, 64).find("webm") != std::string_view::npos;
    return Sniffed{webm ? Container::webm : Container::matroska, true};
  }
  return {};
}

// After an ID3 tag there may be FLAC as well as MP3.
std::optional<Sniffed> behind_tags(const Input& input) {
  const std::uint64_t tags = id3_size(input);
  std::array<char, 4> magic{};
  if (tags > 0 && input.read_at(tags, magic) == magic.size() && std::string_view(magic.data(), 4) == "fLaC")
    return Sniffed{Container::flac};
  if (find_mpeg_frame(input, tags)) return Sniffed{Container::mp3};
  if (tags > 0) throw damaged("no MPEG audio frame follows the ID3 tag");
  return {};
}

}  // namespace

Sniffed sniff(const Input& input) {
  std::array<char, 512> buffer{};
  const std::string_view head(buffer.data(), input.read_at(0, buffer));
  if (head.empty()) throw Failure(wire::Status::not_audio, "not audio", "it is empty");
  if (const auto found = known(head)) return *found;
  for (const Magic& magic : kUnsupported)
    if (at(head, magic.offset, magic.bytes))
      throw Failure(wire::Status::unsupported, std::string(magic.what) + " is not supported");
  for (const Magic& magic : kNotAudio)
    if (at(head, magic.offset, magic.bytes))
      throw Failure(wire::Status::not_audio, "not audio", std::string("it looks like ") + magic.what);
  if (at(head, 0, "\xFF\xF1") || at(head, 0, "\xFF\xF9"))
    throw Failure(wire::Status::unsupported, "AAC without a container (ADTS) is not supported");
  if (const auto found = behind_tags(input)) return *found;
  throw Failure(wire::Status::not_audio, "not audio",
                "it starts like no audio container; raw samples without a header are not accepted");
}

const char* name(Container container) {
  switch (container) {
    case Container::wav: return "WAV";
    case Container::rf64: return "RF64";
    case Container::w64: return "Wave64";
    case Container::flac: return "FLAC";
    case Container::ogg: return "Ogg";
    case Container::mp3: return "MP3";
    case Container::aiff: return "AIFF";
    case Container::caf: return "CAF";
    case Container::au: return "AU";
    case Container::mp4: return "MP4";
    case Container::matroska: return "Matroska";
    case Container::webm: return "WebM";
    case Container::unknown: break;
  }
  return "unknown";
}

}  // namespace audiostore::audio
