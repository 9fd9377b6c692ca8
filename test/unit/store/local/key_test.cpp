#include "store/local/key.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

TEST(LocalKey, AcceptsPathsOfAnyUtf8) {
  for (const std::string& key :
       {"a"s, "a/b.wav"s, "..."s, ".hidden/x"s, "a b+%41"s, "\xF0\x9F\x8E\xA7/\xC3\xA9"s, "line\nbreak"s,
        "back\\slash"s, std::string(255, 'x'), "..a/b.."s, ".audiostore-tmp2"s}) {
    EXPECT_EQ(why_not_a_key(key), "") << key;
  }
  std::string longest;
  while (longest.size() < 1020) longest += "abc/";
  EXPECT_EQ(why_not_a_key(longest + "1234"), "");
}

TEST(LocalKey, RefusesWhatAFileSystemWouldReadDifferently) {
  for (const std::string& key : {""s,
                                 "/etc/passwd"s,
                                 ".."s,
                                 "."s,
                                 "a/../b"s,
                                 "a/./b"s,
                                 "../x"s,
                                 "x/.."s,
                                 "a//b"s,
                                 "a/"s,
                                 "/"s,
                                 "a\0b"s,
                                 "\0"s,
                                 std::string(256, 'x'),
                                 std::string(4096, 'x'),
                                 "a/.audiostore-tmp/b"s,
                                 ".audiostore-tmp"s,
                                 "\xFF"s,
                                 "\xC0\xAF"s,
                                 "\xED\xA0\x80"s,
                                 "\xF4\x90\x80\x80"s,
                                 "\xE2\x82"s}) {
    EXPECT_NE(why_not_a_key(key), "") << key;
  }
  std::string too_long;
  while (too_long.size() < 1024) too_long += "abc/";
  EXPECT_NE(why_not_a_key(too_long + "x"), "");
}

TEST(LocalKey, SaysWhatIsWrongWithoutRepeatingFourKilobytes) {
  try {
    check_key(std::string(4096, 'k'));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_key);
    EXPECT_LT(error.message().size(), 300U);
    EXPECT_EQ(error.detail(), "It is longer than 1024 bytes.");
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(LocalKey, MessagesStayValidUtf8) {
  try {
    check_key("bad\xFF-\xC3(\xE2\x82");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(is_utf8(error.message())) << error.message();
    EXPECT_EQ(error.detail(), "It is not valid UTF-8.");
  }
}

TEST(LocalKey, SplitsAtTheLastSlash) {
  EXPECT_EQ(split("a/b/c").parent, "a/b");
  EXPECT_EQ(split("a/b/c").name, "c");
  EXPECT_EQ(split("c").parent, "");
}

}  // namespace
}  // namespace audiostore::store::local
