// Numbers as people read them. Figures are exact where they are short, and rounded to three digits where they are not.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.hpp"

namespace audiostore::html {

using Microseconds = std::chrono::microseconds;

std::string count(std::int64_t number);          // 1,234,567
std::string bytes(double number);                // 512 B, 12.3 GB: powers of 1000, as stores bill them
std::string percent(double fraction);            // 0.123 → 12.3 %, of 0 and 1 nothing else is 0 % or 100 %
std::string money(double amount);                // 1,234.56; 0.0042
std::string decimal(double number, int digits);  // for coordinates: no trailing zeros
std::string duration(Microseconds length);       // 350 ms, 12.3 s, 1 h 23 min, 3 d 4 h
std::string in_words(Microseconds length);       // as people say it where it is even: 30 days, 1 hour
std::string ago(TimePoint then, TimePoint now);  // 2 hours ago, in 3 days, just now
std::string day(TimePoint at);                   // 26 Nov
std::string minute(TimePoint at);                // 2026-11-26 14:05 UTC
std::string second(TimePoint at);                // 2026-11-26 14:05:31 UTC

}  // namespace audiostore::html
