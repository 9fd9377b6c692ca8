// A whole page: nothing in it comes from elsewhere, and its policy forbids to.
#pragma once

#include <string>

#include "html/markup.hpp"

namespace audiostore::html {

std::string document(std::string_view title, const Markup& body);

}  // namespace audiostore::html
