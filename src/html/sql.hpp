// Values inside SQL that a reader copies from a page: they come out of the page as they went in, whatever they hold.
#pragma once

#include <string>
#include <string_view>

namespace audiostore::html {

// 'it''s'; what a page cannot show as it is goes in by number: U&'a\202Eb'.
std::string sql_literal(std::string_view utf8);

}  // namespace audiostore::html
