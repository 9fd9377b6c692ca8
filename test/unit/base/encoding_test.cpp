#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace audiostore {
namespace {

TEST(Encoding, Base64GoesThereAndBack) {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : known) {
    EXPECT_EQ(base64(plain), coded);
    EXPECT_EQ(base64_decode(coded), plain);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(base64_decode(base64(all)), all);
}

TEST(Encoding, WhatIsNotBase64IsRefused) {
  for (const char* text : {"Z", "Zg=", "Zg", "Z===", "====", "Zm9v!A==", "Zg==Zg==", "Zm 9v"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

TEST(Encoding, PercentEncodingKeepsTheUnreservedOnly) {
  EXPECT_EQ(uri_encode("AZaz09-._~", Slash::encode), "AZaz09-._~");
  EXPECT_EQ(uri_encode("a b+c%d/e*\x7f\xc3\xa4", Slash::keep), "a%20b%2Bc%25d/e%2A%7F%C3%A4");
  EXPECT_EQ(uri_encode("//a/", Slash::encode), "%2F%2Fa%2F");
  EXPECT_EQ(uri_encode("//a/", Slash::keep), "//a/");
}

TEST(Encoding, PercentDecodingUndoesIt) {
  std::string all;
  for (int i = 1; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(uri_decode(uri_encode(all, Slash::encode), Plus::literal), all);
  EXPECT_EQ(uri_decode("a+b%2B", Plus::space), "a b+");
  EXPECT_EQ(uri_decode("a+b", Plus::literal), "a+b");
  for (const char* text : {"%", "%2", "%zz", "a%4"}) EXPECT_FALSE(uri_decode(text, Plus::literal)) << text;
}

TEST(Encoding, Utf8IsToldFromWhatIsNot) {
  for (const char* text :
       {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8e\xb5", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x8e", "a\xff"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Encoding, PrintableIsFitForAMessage) {
  EXPECT_EQ(printable("a\nb\xff\xc3\xa4\x7f", 100), "a?b?\xc3\xa4?");
  EXPECT_EQ(printable("\xc3\xa4\xc3\xa4\xc3\xa4", 5), "\xc3\xa4\xc3\xa4...");
}

}  // namespace
}  // namespace audiostore
