#include "sandbox/validate.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "sandbox/lies.hpp"

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;
using wire::Operation;

constexpr std::uint64_t kWritten = 24;

wire::Request request_for(Operation operation) {
  wire::Request request{};
  request.operation = operation;
  request.input = {100, 100, 0};
  request.max_output = 1000;
  request.points = 2;
  return request;
}

bool writes(Operation operation) { return operation != Operation::info && operation != Operation::measure; }

wire::Reply honest(Operation operation) {
  wire::Reply reply = test::honest_reply(operation);
  if (writes(operation)) reply.output_size = kWritten;
  return reply;
}

std::optional<std::string> check(Operation operation, const wire::Reply& reply) {
  return find_lie(request_for(operation), reply, writes(operation) ? kWritten : 0, true);
}

TEST(ValidateTest, HonestRepliesPass) {
  for (auto operation = Operation::info; operation <= Operation::waveform;
       operation = static_cast<Operation>(static_cast<std::uint32_t>(operation) + 1)) {
    EXPECT_EQ(check(operation, honest(operation)), std::nullopt) << static_cast<std::uint32_t>(operation);
  }
}

TEST(ValidateTest, EveryLieIsFoundAndNamed) {
  for (auto const& lie : test::lies()) {
    wire::Reply reply = honest(lie.operation);
    lie.tell(reply);
    auto const found = check(lie.operation, reply);
    EXPECT_TRUE(found && found->starts_with(lie.name)) << lie.name << ", found: " << found.value_or("nothing");
  }
}

TEST(ValidateTest, DigitalSilenceIsNoLie) {
  wire::Reply reply = honest(Operation::measure);
  reply.loudness = {};
  for (double* const field : {&reply.loudness.max_momentary_lufs, &reply.loudness.max_short_term_lufs,
                              &reply.loudness.true_peak_dbtp, &reply.loudness.sample_peak_dbfs}) {
    *field = -std::numeric_limits<double>::infinity();
  }
  reply.loudness.integrated_lufs = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(check(Operation::measure, reply), std::nullopt);
  clear_what_is_not_asked_for(request_for(Operation::measure), reply);
  EXPECT_EQ(reply.loudness.integrated_lufs, -std::numeric_limits<double>::infinity());
}

TEST(ValidateTest, TextOfAnyLanguageIsNoLie) {
  wire::Reply reply = honest(Operation::info);
  std::strcpy(reply.info.tags[0].data(), "M\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\x8e\xb5");
  EXPECT_EQ(check(Operation::info, reply), std::nullopt);
}

TEST(ValidateTest, MoreInputCanOnlyBeAskedForWhereThereIsMore) {
  wire::Request request = request_for(Operation::info);
  wire::Reply reply = honest(Operation::info);
  reply.status = wire::Status::needs_whole_input;
  EXPECT_NE(find_lie(request, reply, 0, true), std::nullopt);
  request.input = {100, 50, 49};
  EXPECT_EQ(find_lie(request, reply, 0, true), std::nullopt);
  request.input = {100, 50, UINT64_MAX};
  EXPECT_NE(find_lie(request, reply, 0, true), std::nullopt);
}

TEST(ValidateTest, TheOtherReaderCannotAskForItself) {
  wire::Reply reply = honest(Operation::info);
  reply.status = wire::Status::needs_other_reader;
  EXPECT_EQ(find_lie(request_for(Operation::info), reply, 0, true), std::nullopt);
  EXPECT_NE(find_lie(request_for(Operation::info), reply, 0, false), std::nullopt);
}

TEST(ValidateTest, WhatTheOperationIsNotAboutIsCleared) {
  wire::Reply reply = honest(Operation::master);
  reply.mastering.gain_db = std::numeric_limits<double>::quiet_NaN();
  clear_what_is_not_asked_for(request_for(Operation::info), reply);
  EXPECT_EQ(reply.mastering.gain_db, 0);
  EXPECT_EQ(reply.output_info.channels, 0);
  EXPECT_EQ(reply.info.channels, 2);
  reply.status = wire::Status::damaged;
  clear_what_is_not_asked_for(request_for(Operation::info), reply);
  EXPECT_EQ(reply.info.channels, 0);
}

}  // namespace
}  // namespace audiostore::sandbox
