#include "store/common_options.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace audiostore::store {
namespace {

using namespace std::chrono_literals;

TEST(CommonOptions, HaveDefaults) {
  const Common common = read_common({{"bucket", "not ours"}});
  EXPECT_EQ(common.max_connections, 16);
  EXPECT_EQ(common.request_timeout, 30s);
  EXPECT_EQ(common.prefix, "");
}

TEST(CommonOptions, AreRead) {
  const Common common = read_common({{"prefix", "raw/"},
                                     {"archive_store", "cold"},
                                     {"max_connections", "4"},
                                     {"request_timeout", "500ms"},
                                     {"max_attempts", "3"},
                                     {"max_retry_delay", "1h 30 min"},
                                     {"ca_file", "/etc/ssl/own.pem"},
                                     {"public_url", "https://cdn.example.com/audio"}});
  EXPECT_EQ(common.prefix, "raw/");
  EXPECT_EQ(common.archive_store, "cold");
  EXPECT_EQ(common.max_connections, 4);
  EXPECT_EQ(common.request_timeout, 500ms);
  EXPECT_EQ(common.max_attempts, 3);
  EXPECT_EQ(common.max_retry_delay, 90min);
  EXPECT_EQ(common.ca_file, "/etc/ssl/own.pem");
  EXPECT_EQ(common.public_url, "https://cdn.example.com/audio");
}

TEST(CommonOptions, DurationsHaveUnits) {
  EXPECT_EQ(parse_duration("x", "250us"), 250us);
  EXPECT_EQ(parse_duration("x", "1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("x", "5min"), 5min);
  EXPECT_EQ(parse_duration("x", "1 day"), 24h);
  EXPECT_EQ(parse_duration("x", " 2 hours 10 seconds "), 2h + 10s);
  for (const char* value : {"", "5", "5 parsecs", "s", "-5s", "5s5", "nan s", "1e3s", "99999999999999d"}) {
    EXPECT_THROW(parse_duration("x", value), Error) << value;
  }
}

TEST(CommonOptions, BadValuesAreNamed) {
  const std::pair<const char*, const char*> bad[] = {{"max_connections", "0"},
                                                     {"max_connections", "257"},
                                                     {"max_connections", "many"},
                                                     {"max_connections", ""},
                                                     {"request_timeout", "1ms"},
                                                     {"request_timeout", "2 days"},
                                                     {"max_attempts", "0"},
                                                     {"max_attempts", "3.5"},
                                                     {"max_retry_delay", "0s"},
                                                     {"ca_file", "own.pem"},
                                                     {"public_url", "ftp://x"},
                                                     {"public_url", "https://"},
                                                     {"public_url", "https://u:p@x"},
                                                     {"public_url", "https://x?y=1"},
                                                     {"prefix", "\xff"},
                                                     {"archive_store", ""}};
  for (const auto& [name, value] : bad) {
    try {
      read_common({{name, value}});
      ADD_FAILURE() << name << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_option);
      EXPECT_NE(error.message().find(name), std::string::npos);
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

TEST(Providers, AreFoundByName) {
  ASSERT_NE(find_provider("s3"), nullptr);
  ASSERT_NE(find_provider("local"), nullptr);
  EXPECT_EQ(find_provider("s3")->name, "s3");
  EXPECT_EQ(find_provider("tape"), nullptr);
  EXPECT_EQ(provider_names(), (std::vector<std::string_view>{"local", "s3"}));
}

}  // namespace
}  // namespace audiostore::store
