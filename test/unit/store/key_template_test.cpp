#include "store/key_template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "store/local/key.hpp"

namespace audiostore::store {
namespace {

using testing::HasSubstr;

KeyParameters parameters(const std::map<std::string, std::string>& values) {
  KeyParameters all;
  for (auto const& [name, value] : values) all[name] = {.composed = value, .decomposed = value};
  return all;
}

std::string render(std::string_view text, const std::map<std::string, std::string>& values, KeyLimits limits = {}) {
  return KeyTemplate(text).render(parameters(values), limits);
}

// "message: detail (hint)" of what it throws.
std::string failure(std::string_view text, const std::map<std::string, std::string>& values, KeyLimits limits = {}) {
  try {
    return "none: " + render(text, values, limits);
  } catch (const Error& error) {
    return error.message() + ": " + error.detail() + " (" + error.hint() + ")";
  }
}

TEST(KeyTemplate, OfANovelReader) {
  EXPECT_EQ(
      render("{novel_id}_{title}/chapter_{number}_{chapter_title}/paragraph_{paragraph}/paragraph_{paragraph}.wav",
             {{"novel_id", "7"},
              {"title", "Số Đỏ"},
              {"number", "1"},
              {"chapter_title", "Tóc đỏ / Xuân: một \"ngôi sao\""},
              {"paragraph", "12"}}),
      "7_Số_Đỏ/chapter_1_Tóc_đỏ_Xuân_một_ngôi_sao/paragraph_12/paragraph_12.wav");
}

TEST(KeyTemplate, BracesAndAscii) {
  EXPECT_EQ(render("a{{b}}/{x}", {{"x", "y"}}), "a{b}/y");
  EXPECT_EQ(render("{{{x}}}", {{"x", "y"}}), "{y}");
  KeyParameters const title{{"t", {.composed = "Đỏ", .decomposed = "Đo\u0309"}}};
  EXPECT_EQ(KeyTemplate("{t}/{t:ascii}").render(title, {}), "Đỏ/Do");
}

TEST(KeyTemplate, ValuesAddNoSegments) {
  EXPECT_EQ(render("a/{x}/b", {{"x", "../../etc/passwd"}}), "a/etc_passwd/b");
  EXPECT_EQ(render("{x}.wav", {{"x", "..hidden"}}), "hidden.wav");
  EXPECT_EQ(render("a/{x}", {{"x", "name..."}}), "a/name");
  EXPECT_EQ(render("{a}{b}", {{"a", "take"}, {"b", ".wav"}}), "take.wav") << "a dot inside a name is a dot";
  for (const char* nothing : {"", "..", "../..", ".", "/", "///", " ", "\n", "_"}) {
    EXPECT_THAT(failure("a/{x}/b", {{"x", nothing}}), HasSubstr("parameter \"x\" of the key template is empty"));
  }
}

TEST(KeyTemplate, NamesParametersThatAreMissingOrUnknown) {
  EXPECT_EQ(failure("{a}/{b}", {{"a", "1"}}),
            "parameter \"b\" of the key template is missing:  (The template's parameters are: a, b.)");
  EXPECT_EQ(
      failure("{a}", {{"a", "1"}, {"tittle", "1"}}),
      "parameter \"tittle\" of the key template is unknown: The template does not use it. (Its parameters are: a.)");
}

TEST(KeyTemplate, MustBeWellFormed) {
  EXPECT_THAT(failure("{a", {}), HasSubstr("not closed"));
  EXPECT_THAT(failure("a}", {}), HasSubstr("no opening"));
  EXPECT_THAT(failure("{}", {}), HasSubstr("is no name"));
  EXPECT_THAT(failure("{a b}", {}), HasSubstr("is no name"));
  EXPECT_THAT(failure("{a:upper}", {}), HasSubstr("is no name"));
  EXPECT_THAT(failure("{1a}", {}), HasSubstr("is no name"));
  EXPECT_THAT(failure("a\nb", {}), HasSubstr("control character"));
  EXPECT_THAT(failure("\xFF", {}), HasSubstr("UTF-8"));
  for (const char* bad : {"", "/a", "a/", "a//b"}) EXPECT_THAT(failure(bad, {}), HasSubstr("empty segment")) << bad;
  for (const char* bad : {"..", "a/../b", "."}) EXPECT_THAT(failure(bad, {}), HasSubstr("dots")) << bad;
}

TEST(KeyTemplate, CutsTheLongestValues) {
  std::string title;
  for (int i = 0; i < 100; i++) title += "truyện ";
  std::string const key = render("{id}_{title}/{id}_{title}.wav", {{"id", "123"}, {"title", title}});
  std::size_t const slash = key.find('/');
  EXPECT_LE(slash, 255U) << "the first segment fits";
  EXPECT_LE(key.size() - slash - 1 + std::string_view("_metadata").size(), 255U) << "so does the sidecar's";
  EXPECT_EQ(key.substr(0, 4), "123_");
  EXPECT_TRUE(key.ends_with(".wav"));
  EXPECT_TRUE(is_utf8(key));
  EXPECT_LE(render("{a}/{b}/{c}", {{"a", title}, {"b", title}, {"c", title}}, {.key = 200, .segment = 255}).size(),
            186U);
  EXPECT_THAT(failure(std::string(300, 'x'), {}), HasSubstr("too long"));
  EXPECT_THAT(failure("{a}/{b}", {{"a", title}, {"b", title}}, {.key = 40, .segment = 255}), HasSubstr("too long"));
}

TEST(KeyTemplate, SidecarsAreBesideTheirObject) {
  EXPECT_EQ(sidecar_key("a/paragraph_1.wav"), "a/paragraph_1_metadata.json");
  EXPECT_EQ(sidecar_key("a.b/c"), "a.b/c_metadata.json");
  EXPECT_EQ(sidecar_key("a/.wav"), "a/.wav_metadata.json");
  EXPECT_EQ(sidecar_key("a.b.wav"), "a.b_metadata.json");
}

// Whatever the values are, a key that comes out can be stored, has the template's segments, and always comes out.
TEST(KeyTemplate, Fuzz) {
  SeededRandom random(20);
  const std::string_view pieces[] = {"a",
                                     "Z9",
                                     "ộ",
                                     "\u0323",
                                     ".",
                                     "..",
                                     "/",
                                     "\\",
                                     "\n",
                                     "\x7F",
                                     " ",
                                     "_",
                                     "{",
                                     "}",
                                     "\u202E",
                                     "日本",
                                     "\xF0\x9F\x8E\xB5",
                                     "\xFF",
                                     "\xC3",
                                     ":",
                                     "đ",
                                     "%",
                                     std::string_view("\0", 1),
                                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
  const std::string_view templates[] = {"{a}", "{a}/{b}", "x_{a}{b}/{c:ascii}.wav", "{a}.{b}/{{{c}}}/{a}",
                                        "{a:ascii}_{b}_{c}"};
  int rendered = 0;
  for (int round = 0; round < 5000; round++) {
    std::string_view const text = templates[random.bits() % std::size(templates)];
    std::map<std::string, std::string> values;
    for (const char* name : {"a", "b", "c"}) {
      if (text.find("{" + std::string(name)) == std::string_view::npos) continue;
      std::string& value = values[name];
      for (auto n = random.bits() % 40; n > 0; n--) value += pieces[random.bits() % std::size(pieces)];
    }
    KeyLimits const limits{.key = 200 + random.bits() % 900, .segment = 255};
    try {
      std::string const key = render(text, values, limits);
      rendered++;
      ASSERT_EQ(local::why_not_a_key(key), "") << key;
      ASSERT_EQ(local::why_not_a_key(sidecar_key(key)), "") << key;
      ASSERT_LE(sidecar_key(key).size(), limits.key);
      ASSERT_EQ(std::count(key.begin(), key.end(), '/'), std::count(text.begin(), text.end(), '/')) << key;
      ASSERT_TRUE(std::all_of(key.begin(), key.end(),
                              [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '\\'; }));
      ASSERT_NE(key.front(), '.');
      ASSERT_EQ(render(text, values, limits), key);
    } catch (const Error& error) {
      ASSERT_THAT(error.message(), HasSubstr("is empty"));
    }
  }
  EXPECT_GT(rendered, 3000);
}

}  // namespace
}  // namespace audiostore::store
