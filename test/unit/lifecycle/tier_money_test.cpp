#include "lifecycle/tier_money.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace audiostore::lifecycle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ClassTerms const kStandard{
    .name = "STANDARD", .price = 0.023, .early_fee = 0.023, .minimum_days = 0, .minimum_bytes = 0, .currency = "USD"};
ClassTerms const kInfrequent{.name = "STANDARD_IA",
                             .price = 0.0125,
                             .early_fee = 0.0125,
                             .minimum_days = 30,
                             .minimum_bytes = 131072,
                             .currency = "USD"};
ClassTerms const kGlacier{
    .name = "GLACIER", .price = 0.0036, .early_fee = 0.0036, .minimum_days = 90, .minimum_bytes = 0, .currency = "USD"};

TEST(TierMoney, LargeOldObjectsAreWorthIt) {
  EXPECT_THAT(
      money_warnings({.from = kStandard, .to = kGlacier, .objects = 10, .billed_from = 1e12, .billed_to = 1e12}),
      IsEmpty());
}

TEST(TierMoney, SmallObjectsAreBilledAsLargeOnes) {
  EXPECT_THAT(
      money_warnings({.from = kStandard,
                      .to = kInfrequent,
                      .objects = 1000,
                      .billed_from = 1e6,
                      .billed_to = 1000.0 * 131072,
                      .small = 1000}),
      ElementsAre("1000 of 1000 objects are smaller than the 131072 bytes that class STANDARD_IA bills at least",
                  "the move saves nothing: 2.3e-05 USD a month in class STANDARD, 0.0016 USD in class STANDARD_IA"));
}

TEST(TierMoney, YoungObjectsArePaidForTwice) {
  // 1 TB for ten days more, of a month of thirty.
  EXPECT_THAT(
      money_warnings({.from = kInfrequent,
                      .to = kGlacier,
                      .objects = 3,
                      .billed_from = 2e12,
                      .billed_to = 2e12,
                      .young = 1,
                      .young_byte_days = 1e13}),
      ElementsAre("1 of 3 objects are younger than the 30 days that class STANDARD_IA bills at least: their move "
                  "costs 4.17 USD once"));
}

TEST(TierMoney, WithoutPricesOnlyWhatIsKnownIsSaid) {
  ClassTerms unknown = kInfrequent;
  unknown.price.reset();
  unknown.early_fee.reset();
  EXPECT_THAT(
      money_warnings({.from = unknown, .to = kGlacier, .objects = 3, .billed_from = 1, .billed_to = 9, .young = 2}),
      ElementsAre("2 of 3 objects are younger than the 30 days that class STANDARD_IA bills at least"));
  ClassTerms euro = kGlacier;
  euro.currency = "EUR";
  EXPECT_THAT(money_warnings({.from = kStandard, .to = euro, .objects = 3, .billed_from = 1, .billed_to = 9e9}),
              IsEmpty());
}

TEST(TierMoney, NothingToMoveIsNothingToWarnOf) {
  EXPECT_THAT(money_warnings({.from = kStandard, .to = kStandard}), IsEmpty());
}

}  // namespace
}  // namespace audiostore::lifecycle
