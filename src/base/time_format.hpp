// Points in time as the protocols write them, always UTC.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace audiostore {

std::string iso8601_basic(TimePoint at);  // 20130524T000000Z
std::string iso8601(TimePoint at);        // 2013-05-24T00:00:00.000Z
std::string rfc1123(TimePoint at);        // Fri, 24 May 2013 00:00:00 GMT

// Nothing when the text is not exactly of that form. ISO 8601 as the stores write it: a date and a time with
// up to nine digits of fraction (cut to microseconds) and Z or an offset.
std::optional<TimePoint> parse_iso8601(std::string_view text);
std::optional<TimePoint> parse_iso8601_basic(std::string_view text);
std::optional<TimePoint> parse_rfc1123(std::string_view text);

}  // namespace audiostore
