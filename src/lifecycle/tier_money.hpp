// Whether a move is worth it: what the preview of a tiering policy warns of. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace audiostore::lifecycle {

// What storage_prices says of one class, for a store.
struct ClassTerms {
  std::string name;
  std::optional<double> price;  // of 10^9 bytes and a month
  std::optional<double> early_fee;
  std::int64_t minimum_days = 0;
  std::int64_t minimum_bytes = 0;  // that each object is billed for
  std::string currency;
};

// Objects that go from one class to another.
struct TierFigures {
  ClassTerms from;
  ClassTerms to;
  std::int64_t objects = 0;
  double billed_from = 0;  // bytes, small objects with what they are billed for
  double billed_to = 0;
  std::int64_t small = 0;      // smaller than what the new class bills at least
  std::int64_t young = 0;      // younger than what their present class bills for at least
  double young_byte_days = 0;  // what is missing to that, times their bytes
};

namespace money {

inline constexpr double kGigabyte = 1e9;
inline constexpr double kDaysOfMonth = 30;

inline std::string amount(double value, const std::string& currency) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), value != 0 && value < 0.01 ? "%.2g" : "%.2f", value);
  return std::string(text.data()) + " " + currency;
}

inline std::string some(std::int64_t count, std::int64_t all) {
  return std::to_string(count) + " of " + std::to_string(all) + " objects";
}

}  // namespace money

// How each of the warnings reads; none: the move saves money.
inline std::vector<std::string> money_warnings(const TierFigures& figures) {
  std::vector<std::string> warnings;
  ClassTerms const& from = figures.from;
  ClassTerms const& to = figures.to;
  if (figures.objects == 0) return warnings;
  if (figures.small > 0) {
    warnings.push_back(money::some(figures.small, figures.objects) + " are smaller than the " +
                       std::to_string(to.minimum_bytes) + " bytes that class " + to.name + " bills at least");
  }
  if (figures.young > 0) {
    std::string text = money::some(figures.young, figures.objects) + " are younger than the " +
                       std::to_string(from.minimum_days) + " days that class " + from.name + " bills at least";
    if (from.early_fee) {
      double const fee = figures.young_byte_days / money::kGigabyte / money::kDaysOfMonth * *from.early_fee;
      text += ": their move costs " + money::amount(fee, from.currency) + " once";
    }
    warnings.push_back(std::move(text));
  }
  if (from.price && to.price && from.currency == to.currency) {
    double const now = figures.billed_from / money::kGigabyte * *from.price;
    double const then = figures.billed_to / money::kGigabyte * *to.price;
    if (then >= now) {
      warnings.push_back("the move saves nothing: " + money::amount(now, from.currency) + " a month in class " +
                         from.name + ", " + money::amount(then, to.currency) + " in class " + to.name);
    }
  }
  return warnings;
}

}  // namespace audiostore::lifecycle
