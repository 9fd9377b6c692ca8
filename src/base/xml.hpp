// XML as object stores speak it, read as hostile input: bounded in size, no document type, no entities but
// XML's own, and blind to namespaces (some servers put their <Error> into one, some do not).
#pragma once

#include <pugixml.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace audiostore::xml {

class Document {
 public:
  // Throws Error(bad_reply) when the text is not one well-formed element or is over the limit.
  static Document parse(BytesView text, std::size_t limit = std::size_t{16} << 20);

  pugi::xml_node root() const { return tree_.document_element(); }

 private:
  pugi::xml_document tree_;
};

// The name of an element without its namespace's prefix.
std::string_view name(pugi::xml_node node);
// The first child element of that name; a null node when there is none.
pugi::xml_node child(pugi::xml_node node, std::string_view local_name);
// All character data directly inside the element.
std::string text(pugi::xml_node node);
// text(child(...)), nothing when there is no such child.
std::optional<std::string> child_text(pugi::xml_node node, std::string_view local_name);

// False for text with characters that XML 1.0 cannot carry, not even escaped.
bool can_carry(std::string_view utf8) noexcept;
// Markup characters and line breaks become references, so that the text arrives unchanged.
void append_escaped(std::string& out, std::string_view utf8);

}  // namespace audiostore::xml
