// Expected values are what node prints; test/tap/cache_key.pl asks node itself where there is one.
#include "base/ecmascript.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"

namespace audiostore::ecmascript {
namespace {

std::string number(double value) {
  std::string text;
  append_number(text, value);
  return text;
}

std::string string(std::string_view value) {
  std::string text;
  append_string(text, value);
  return text;
}

std::string json(std::string_view value) {
  std::string text;
  append_json(text, value);
  return text;
}

TEST(EcmaScript, Numbers) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(-0.0), "0");
  EXPECT_EQ(number(1), "1");
  EXPECT_EQ(number(-1.5), "-1.5");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(100), "100");
  EXPECT_EQ(number(123456789012345680000.0), "123456789012345680000");
  EXPECT_EQ(number(1e20), "100000000000000000000");
  EXPECT_EQ(number(1e21), "1e+21");
  EXPECT_EQ(number(1.5e300), "1.5e+300");
  EXPECT_EQ(number(0.000001), "0.000001");
  EXPECT_EQ(number(0.0000001), "1e-7");
  EXPECT_EQ(number(1.25e-9), "1.25e-9");
  EXPECT_EQ(number(5e-324), "5e-324");
  EXPECT_EQ(number(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(number(4.35), "4.35");
  EXPECT_EQ(number(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "null");
}

TEST(EcmaScript, Strings) {
  EXPECT_EQ(string("plain / text"), "\"plain / text\"");
  EXPECT_EQ(string("\"\\\b\f\n\r\t"), R"("\"\\\b\f\n\r\t")");
  EXPECT_EQ(string(std::string_view("\x00\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
  EXPECT_EQ(string("h\xC3\xA9 \xF0\x9F\x98\x80 \xE2\x80\xA8"), "\"h\xC3\xA9 \xF0\x9F\x98\x80 \xE2\x80\xA8\"");
  EXPECT_EQ(string("\xED\xA0\xBD"), R"("\ud83d")");
}

TEST(EcmaScript, SurrogatesPairUpOrStayEscapes) {
  EXPECT_EQ(json(R"("\ud83d\ude00")"), "\"\xF0\x9F\x98\x80\"");
  EXPECT_EQ(json(R"("\ud83d")"), R"("\ud83d")");
  EXPECT_EQ(json(R"("\ude00\ud83d")"), R"("\ude00\ud83d")");
  EXPECT_EQ(json(R"("\ud83d-\ude00")"), R"("\ud83d-\ude00")");
  EXPECT_EQ(json(R"("\u00e9\u2028\/")"), "\"\xC3\xA9\xE2\x80\xA8/\"");
}

TEST(EcmaScript, ValuesAreReadAndWrittenAgain) {
  EXPECT_EQ(json(" { \"b\" : 1.0 , \"a\" : [ true , false , null , 1e3 ] } "), R"({"b":1,"a":[true,false,null,1000]})");
  EXPECT_EQ(json("{}"), "{}");
  EXPECT_EQ(json("[]"), "[]");
  EXPECT_EQ(json("-0"), "0");
  EXPECT_EQ(json("1e999"), "null");
  EXPECT_EQ(json("12345678901234567890"), "12345678901234567000");
}

TEST(EcmaScript, MembersAreOrderedAsObjectsOrderThem) {
  EXPECT_EQ(json(R"({"b":1,"2":2,"a":3,"10":4,"1":5})"), R"({"1":5,"2":2,"10":4,"b":1,"a":3})");
  EXPECT_EQ(json(R"({"01":1,"1":2,"-1":3,"4294967295":4,"4294967294":5})"),
            R"({"1":2,"4294967294":5,"01":1,"-1":3,"4294967295":4})");
  EXPECT_EQ(json(R"({"a":1,"b":2,"a":3})"), R"({"a":3,"b":2})");
  EXPECT_EQ(json(R"({"a":{"x":{"2":1,"1":[{"z":1,"0":2}]}}})"), R"({"a":{"x":{"1":[{"0":2,"z":1}],"2":1}}})");
}

TEST(EcmaScript, WhatIsNotJsonIsRefused) {
  for (const char* bad :
       {"", "{", "[1", "{\"a\"}", "{\"a\":}", "tru", "\"", R"("\x")", R"("\u12g4")", "1 2", "+", "nul"}) {
    EXPECT_THROW(json(bad), Error) << bad;
  }
  EXPECT_THROW(json(std::string(100'000, '[')), Error);
  EXPECT_EQ(json(std::string(900, '[') + std::string(900, ']')).size(), 1800U);
}

}  // namespace
}  // namespace audiostore::ecmascript
