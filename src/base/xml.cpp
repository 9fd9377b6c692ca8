#include "base/xml.hpp"

#include <array>

#include "base/error.hpp"

namespace audiostore::xml {
namespace {

Error bad(std::string detail) { return {ErrorKind::bad_reply, "malformed XML in a reply", std::move(detail)}; }

// pugixml ends a string at a NUL, so a reference to one would silently cut a key short.
bool refers_to_nul(BytesView text) {
  for (std::size_t at = text.find("&#"); at != BytesView::npos; at = text.find("&#", at + 2)) {
    std::size_t i = at + 2;
    if (i < text.size() && text[i] == 'x') ++i;
    const std::size_t digits = i;
    while (i < text.size() && text[i] == '0') ++i;
    if (i > digits && i < text.size() && text[i] == ';') return true;
  }
  return false;
}

constexpr std::array<bool, 256> make_needs_escape() {
  std::array<bool, 256> table{};
  for (const char c : {'&', '<', '>', '"', '\'', '\n', '\r', '\t'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kNeedsEscape = make_needs_escape();

const char* reference(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\n': return "&#10;";
    case '\r': return "&#13;";
    default: return "&#9;";
  }
}

}  // namespace

Document Document::parse(BytesView text, std::size_t limit) {
  if (text.size() > limit) throw bad("it is larger than " + std::to_string(limit) + " bytes");
  if (text.find('\0') != BytesView::npos || refers_to_nul(text)) throw bad("it contains a NUL");
  Document document;
  constexpr unsigned kOptions = pugi::parse_default | pugi::parse_doctype | pugi::parse_ws_pcdata_single;
  const pugi::xml_parse_result result =
      document.tree_.load_buffer(text.data(), text.size(), kOptions, pugi::encoding_utf8);
  if (!result) {
    throw bad(std::string(result.description()) + " at offset " + std::to_string(result.offset));
  }
  std::size_t elements = 0;
  for (const pugi::xml_node node : document.tree_) {
    if (node.type() == pugi::node_doctype) throw bad("it has a document type declaration");
    if (node.type() == pugi::node_element) ++elements;
  }
  if (elements != 1) throw bad("it has no single root element");
  return document;
}

std::string_view name(pugi::xml_node node) {
  std::string_view full = node.name();
  if (const std::size_t colon = full.rfind(':'); colon != std::string_view::npos) full.remove_prefix(colon + 1);
  return full;
}

pugi::xml_node child(pugi::xml_node node, std::string_view local_name) {
  for (const pugi::xml_node candidate : node.children()) {
    if (candidate.type() == pugi::node_element && name(candidate) == local_name) return candidate;
  }
  return {};
}

std::string text(pugi::xml_node node) {
  std::string out;
  for (const pugi::xml_node part : node.children()) {
    if (part.type() == pugi::node_pcdata || part.type() == pugi::node_cdata) out += part.value();
  }
  return out;
}

std::optional<std::string> child_text(pugi::xml_node node, std::string_view local_name) {
  const pugi::xml_node found = child(node, local_name);
  if (!found) return std::nullopt;
  return text(found);
}

bool can_carry(std::string_view utf8) noexcept {
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto octet = static_cast<unsigned char>(utf8[i]);
    if (octet < 0x20 && octet != '\n' && octet != '\r' && octet != '\t') return false;
    // U+FFFE and U+FFFF
    if (octet == 0xEF && utf8.size() - i >= 3 && static_cast<unsigned char>(utf8[i + 1]) == 0xBF &&
        static_cast<unsigned char>(utf8[i + 2]) >= 0xBE) {
      return false;
    }
  }
  return true;
}

void append_escaped(std::string& out, std::string_view utf8) {
  std::size_t plain = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if (!kNeedsEscape[static_cast<unsigned char>(utf8[i])]) continue;
    out.append(utf8, plain, i - plain);
    out += reference(utf8[i]);
    plain = i + 1;
  }
  out.append(utf8, plain);
}

}  // namespace audiostore::xml
