#include "store/key_template.hpp"

#include <algorithm>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "store/safe_name.hpp"

namespace audiostore::store {
namespace {

constexpr std::string_view kSidecarEnd = "_metadata.json";

[[noreturn]] void throw_bad_template(std::string detail) {
  throw Error(ErrorKind::invalid_argument, "invalid key template", std::move(detail),
              "Write it like {album}/track_{number}.wav; {{ and }} are braces.");
}

[[noreturn]] void throw_bad_parameter(const std::string& name, const std::string& what, std::string detail,
                                      std::string hint) {
  throw Error(ErrorKind::invalid_argument, "parameter \"" + printable(name, 100) + "\" of the key template " + what,
              std::move(detail), std::move(hint));
}

bool is_name(std::string_view text) {
  auto const letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// A name that begins with a dot is hidden, and what is left of a path that climbs begins so.
std::string without_dots_before(std::string text) {
  if (text.starts_with('.')) text.erase(0, std::min(text.find_first_not_of("._"), text.size()));
  return text;
}

// Windows drops them, and a segment of nothing else means a directory.
std::string without_dots_behind(std::string text) {
  text.erase(text.find_last_not_of('.') + 1);
  return text;
}

// A part of the key on its way: values can be cut, the template's own text cannot.
struct Part {
  std::string whole;
  std::string text;
  bool value = false;
};

std::size_t length_of(const std::vector<Part>& parts) {
  std::size_t length = 0;
  for (Part const& part : parts) length += part.text.size();
  return length;
}

// Cuts the longest values until it fits.
void fit(std::vector<Part*> parts, std::size_t length, std::size_t limit) {
  std::erase_if(parts, [](const Part* part) { return !part->value; });
  while (length > limit) {
    auto const longest = std::max_element(parts.begin(), parts.end(),
                                          [](const Part* a, const Part* b) { return a->text.size() < b->text.size(); });
    if (longest == parts.end() || (*longest)->text.size() <= kLeastCut) {
      throw Error(ErrorKind::too_large, "key template is too long",
                  "Its key would have more than " + std::to_string(limit) +
                      " bytes where that is the limit, with every value cut short.");
    }
    Part& part = **longest;
    std::size_t const before = part.text.size();
    std::size_t const excess = length - limit;
    part.text = cut_name(part.whole, before > excess + kLeastCut ? before - excess : kLeastCut);
    length -= before - part.text.size();
  }
}

}  // namespace

KeyTemplate::KeyTemplate(std::string_view text) : segments_(1) {
  auto const literal = [this](char c) {
    Segment& segment = segments_.back();
    if (segment.empty() || segment.back().parameter) segment.emplace_back();
    segment.back().text += c;
  };
  if (!is_utf8(text)) throw_bad_template("It is not valid UTF-8.");
  while (!text.empty()) {
    char const c = text.front();
    text.remove_prefix(1);
    if ((c == '{' || c == '}') && text.starts_with(c)) {
      literal(c);
      text.remove_prefix(1);
    } else if (c == '{') {
      std::size_t const end = text.find('}');
      if (end == std::string_view::npos) throw_bad_template("A brace is not closed.");
      std::string_view name = text.substr(0, end);
      bool const ascii = name.ends_with(":ascii");
      if (ascii) name.remove_suffix(std::string_view(":ascii").size());
      if (!is_name(name)) throw_bad_template("\"" + printable(name, 100) + "\" is no name of a parameter.");
      segments_.back().push_back({.text = std::string(name), .parameter = true, .ascii = ascii});
      text.remove_prefix(end + 1);
    } else if (c == '}') {
      throw_bad_template("A closing brace has no opening one.");
    } else if (c == '/') {
      segments_.emplace_back();
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      throw_bad_template("It contains a control character.");
    } else {
      literal(c);
    }
  }
  for (Segment const& segment : segments_) {
    if (segment.empty()) throw_bad_template("It has an empty segment, or begins or ends with a slash.");
    bool const fixed = segment.size() == 1 && !segment.front().parameter;
    if (fixed && segment.front().text.find_first_not_of('.') == std::string::npos) {
      throw_bad_template("It has a segment of nothing but dots.");
    }
  }
}

std::string KeyTemplate::names() const {
  std::set<std::string> found;
  for (Segment const& segment : segments_) {
    for (Piece const& piece : segment) {
      if (piece.parameter) found.insert(piece.text);
    }
  }
  std::string list;
  for (std::string const& name : found) list += (list.empty() ? "" : ", ") + name;
  return list;
}

void KeyTemplate::check_names(const KeyParameters& parameters) const {
  std::set<std::string, std::less<>> used;
  for (Segment const& segment : segments_) {
    for (Piece const& piece : segment) {
      if (!piece.parameter) continue;
      if (!parameters.contains(piece.text)) {
        throw_bad_parameter(piece.text, "is missing", {}, "The template's parameters are: " + names() + ".");
      }
      used.insert(piece.text);
    }
  }
  for (auto const& [name, value] : parameters) {
    if (used.contains(name)) continue;
    std::string const all = names();
    throw_bad_parameter(name, "is unknown", "The template does not use it.",
                        all.empty() ? "The template has no parameters." : "Its parameters are: " + all + ".");
  }
}

std::string KeyTemplate::render(const KeyParameters& parameters, const KeyLimits& limits) const {
  check_names(parameters);
  std::vector<std::vector<Part>> segments;
  for (Segment const& segment : segments_) {
    std::vector<Part>& parts = segments.emplace_back();
    for (Piece const& piece : segment) {
      Part part{.whole = piece.text, .text = piece.text, .value = piece.parameter};
      if (piece.parameter) {
        KeyParameter const& given = parameters.find(piece.text)->second;
        part.whole = piece.ascii ? safe_ascii(given.decomposed) : safe_name(given.composed);
        if (&piece == &segment.front()) part.whole = without_dots_before(std::move(part.whole));
        if (&piece == &segment.back()) part.whole = without_dots_behind(std::move(part.whole));
        if (part.whole.find_first_not_of("._") == std::string::npos) {
          throw_bad_parameter(piece.text, "is empty",
                              "Nothing of \"" + printable(given.composed, 100) + "\" can be in a key.",
                              piece.ascii ? "Without :ascii letters of all scripts stay." : "");
        }
        part.text = part.whole;
      }
      parts.push_back(std::move(part));
    }
  }
  std::size_t length = segments.size() - 1;
  std::vector<Part*> all;
  for (std::vector<Part>& parts : segments) {
    std::size_t const room = &parts == &segments.back() ? limits.segment - kSidecarEnd.size() : limits.segment;
    std::vector<Part*> own(parts.size());
    std::transform(parts.begin(), parts.end(), own.begin(), [](Part& part) { return &part; });
    fit(own, length_of(parts), room);
    length += length_of(parts);
    all.insert(all.end(), own.begin(), own.end());
  }
  fit(all, length, limits.key > kSidecarEnd.size() ? limits.key - kSidecarEnd.size() : 0);
  std::string key;
  for (std::vector<Part> const& parts : segments) {
    if (!key.empty()) key += '/';
    for (Part const& part : parts) key += part.text;
  }
  return key;
}

std::string sidecar_key(std::string_view key) {
  std::size_t const slash = key.rfind('/');
  std::size_t const dot = key.rfind('.');
  std::size_t const name = slash == std::string_view::npos ? 0 : slash + 1;
  bool const extension = dot != std::string_view::npos && dot > name;
  return std::string(key.substr(0, extension ? dot : key.size())).append(kSidecarEnd);
}

}  // namespace audiostore::store
