// Any octets as the text of a page: what a reader sees is what is there, and nothing of it acts. Everything comes out
// as ASCII, other characters as references, so that a page reads the same whatever the encodings of server and client
// are.
#pragma once

#include <string>
#include <string_view>

namespace audiostore::html {

// Characters that would be invisible, or reorder or end what is around them, are named: ⟨U+202E⟩, octets that are no
// UTF-8 too: ⟨0xFF⟩. Tab and line feed stay.
void append_escaped(std::string& out, std::string_view utf8);

// At most so many code points, with an ellipsis where there were more.
std::string shortened(std::string_view utf8, std::size_t limit);

}  // namespace audiostore::html
