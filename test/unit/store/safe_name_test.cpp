#include "store/safe_name.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace audiostore::store {
namespace {

TEST(SafeName, LettersOfAllScriptsStay) {
  EXPECT_EQ(safe_name("Số_Đỏ"), "Số_Đỏ");
  EXPECT_EQ(safe_name("日本語"), "日本語");
  EXPECT_EQ(safe_name("\xF0\x9F\x8E\xB5"), "\xF0\x9F\x8E\xB5");
}

TEST(SafeName, WhatIsNoPartOfANameBecomesOneUnderscore) {
  EXPECT_EQ(safe_name("Dế Mèn: phiêu lưu ký"), "Dế_Mèn_phiêu_lưu_ký");
  EXPECT_EQ(safe_name("a/b\\c"), "a_b_c");
  EXPECT_EQ(safe_name("a _ b"), "a_b");
  EXPECT_EQ(safe_name("a\n\t\x01\x7F b"), "a_b");
  EXPECT_EQ(safe_name(std::string_view("a\0b", 3)), "a_b");
  EXPECT_EQ(safe_name("what? <b>\"no\"|*"), "what_b_no");
  EXPECT_EQ(safe_name("\u3000a\u2028b\u0085"), "a_b");
}

TEST(SafeName, WhatCannotBeSeenGoes) {
  EXPECT_EQ(safe_name("a\u200Bb\u202Ec\uFEFF"), "abc");
  EXPECT_EQ(safe_name("a\xFF\xC3"), "a");
  EXPECT_EQ(safe_name("\xED\xA0\x80"), "");
}

TEST(SafeName, MayBeNothing) {
  EXPECT_EQ(safe_name(""), "");
  EXPECT_EQ(safe_name(" /// "), "");
  EXPECT_EQ(safe_name("\u200B"), "");
}

TEST(SafeAscii, DropsDiacritics) {
  EXPECT_EQ(safe_ascii("So\u0302\u0301 D\u0323o\u0309"), "So_Do");
  EXPECT_EQ(safe_ascii("Đất rừng phương Nam"), "D_t_r_ng_ph_ng_Nam") << "of decomposed text only";
  EXPECT_EQ(safe_ascii("Stra\u00DFe \u00C6r\u00F8"), "Strasse_AEro");
  EXPECT_EQ(safe_ascii("日本語"), "");
  EXPECT_EQ(safe_ascii("100% #1 ~ {x}"), "100_1_x");
}

TEST(CutName, CutsBetweenCharacters) {
  std::string const name = "ộộộộộộộộộộộộộộộộ";  // three octets each
  EXPECT_EQ(cut_name(name, 48), name);
  for (std::size_t limit = kLeastCut; limit < 48; limit++) {
    std::string const cut = cut_name(name, limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_TRUE(is_utf8(cut)) << limit;
    EXPECT_EQ(cut.substr(0, 3), "ộ");
  }
}

TEST(CutName, KeepsMarksWithTheirLetter) {
  std::string name;
  while (name.size() < 60) name += "e\u0323\u0302";
  for (std::size_t limit = kLeastCut; limit < 60; limit++) {
    std::string const cut = cut_name(name, limit);
    std::string const head = cut.substr(0, cut.size() - 9);
    EXPECT_EQ(head.size() % 5, 0U) << cut;
  }
}

TEST(CutName, KeepsWhatIsTheSameAtItsBeginningApart) {
  std::string const long_title(300, 'x');
  EXPECT_NE(cut_name(long_title + "1", 100), cut_name(long_title + "2", 100));
  EXPECT_EQ(cut_name(long_title + "1", 100), cut_name(long_title + "1", 100));
}

}  // namespace
}  // namespace audiostore::store
