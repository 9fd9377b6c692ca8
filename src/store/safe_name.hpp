// Text from anywhere (a title, a request's id) as a part of a key that any store and any file system can hold. Pure.
// What would surprise you: letters of all scripts stay, as people find their files by them; safe_ascii() is for stores
// that know ASCII only. Both may return nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace audiostore::store {

// Slashes, backslashes, control characters, white space and what Windows refuses (: * ? " < > |) become one _ for each
// run, none at either end; invisible and direction-changing characters go, and so does malformed UTF-8. `text` should
// be in Unicode's normal form C, so that equal titles are equal keys.
std::string safe_name(std::string_view text);

// The same in ASCII: `decomposed` is the text in normal form KD, whose diacritics are dropped (Số Đỏ is So_Do). Other
// scripts become _.
std::string safe_ascii(std::string_view decomposed);

// At most `limit` octets of a safe name, cut between characters, the last nine being _ and digits of the hash of all of
// it: names that are the same at their beginning stay apart. Unchanged where it is short enough. limit is 16 at least.
std::string cut_name(const std::string& name, std::size_t limit);
inline constexpr std::size_t kLeastCut = 16;

}  // namespace audiostore::store
