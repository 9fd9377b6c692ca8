// The style sheet of a page. Light and dark share their rules and differ in colours alone; print is always light. The
// colours keep 4.5:1 for text in both, and blue and orange stay apart for every kind of colour vision.
#pragma once

#include <string_view>

namespace audiostore::html {

extern const std::string_view kStyle;

}  // namespace audiostore::html
