#include "html/markup.hpp"

#include <gtest/gtest.h>

#include <pugixml.hpp>

#include "html/text.hpp"

namespace audiostore::html {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

TEST(Text, NothingOfItIsMarkup) {
  EXPECT_EQ(escaped("<script>alert('1')</script> & \"2\" ]]>"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;2&quot; ]]&gt;");
  EXPECT_EQ(escaped("&amp;"), "&amp;amp;");
}

TEST(Text, IsAsciiWhateverItHolds) {
  EXPECT_EQ(escaped("Tiếng Việt 夜 🎙"), "Ti&#x1EBF;ng Vi&#x1EC7;t &#x591C; &#x1F399;");
  EXPECT_EQ(escaped("a\tb\nc"), "a\tb\nc");
}

TEST(Text, NamesWhatCannotBeSeen) {
  EXPECT_EQ(escaped(std::string_view("\0\x07\x1b[31m\r\x7f", 9)),
            "&#x27E8;U+0000&#x27E9;&#x27E8;U+0007&#x27E9;&#x27E8;U+001B&#x27E9;[31m&#x27E8;U+000D&#x27E9;&#x27E8;U+"
            "007F&#x27E9;");
  EXPECT_EQ(escaped("\u202Egpj\u2066\u200F\u2028\uFEFF"),
            "&#x27E8;U+202E&#x27E9;gpj&#x27E8;U+2066&#x27E9;&#x27E8;U+200F&#x27E9;&#x27E8;U+2028&#x27E9;&#x27E8;U+FEFF&"
            "#x27E9;");
  EXPECT_EQ(escaped("\U000E0041\uFFFF\U0010FFFF"),
            "&#x27E8;U+E0041&#x27E9;&#x27E8;U+FFFF&#x27E9;&#x27E8;U+10FFFF&#x27E9;");
  // Persian and emoji need their joiners.
  EXPECT_EQ(escaped("\u200C\u200D"), "&#x200C;&#x200D;");
}

TEST(Text, ShowsOctetsThatAreNoUtf8) {
  EXPECT_EQ(escaped("a\xff\xc3z"), "a&#x27E8;0xFF&#x27E9;&#x27E8;0xC3&#x27E9;z");
  EXPECT_EQ(escaped("\xc0\xaf\xed\xa0\x80"),
            "&#x27E8;0xC0&#x27E9;&#x27E8;0xAF&#x27E9;&#x27E8;0xED&#x27E9;&#x27E8;0xA0&#x27E9;&#x27E8;0x80&#x27E9;");
  EXPECT_EQ(escaped("\xf0\x9f\x8e"), "&#x27E8;0xF0&#x27E9;&#x27E8;0x9F&#x27E9;&#x27E8;0x8E&#x27E9;");
}

TEST(Text, IsCutBetweenCharacters) {
  EXPECT_EQ(shortened("夜夜夜", 2), "夜夜…");
  EXPECT_EQ(shortened("夜夜", 2), "夜夜");
  EXPECT_EQ(shortened("", 0), "");
  EXPECT_EQ(shortened("\xff\xff\xff", 1), "\xff…");
}

TEST(Markup, EscapesTextAndAttributes) {
  Markup const made = element("p", {{"title", "\"><script>"}, {"class", "a"}}, "1 < 2", element("b", {}, "&"));
  EXPECT_EQ(made.octets(), "<p title=\"&quot;&gt;&lt;script&gt;\" class=\"a\">1 &lt; 2<b>&amp;</b></p>");
  EXPECT_EQ(element("br", {}).octets(), "<br/>");
  EXPECT_EQ(link_to("a\"b", "x").octets(), "<a href=\"#a&quot;b\">x</a>");
  EXPECT_EQ(value("<").octets(), "<bdi>&lt;</bdi>");
}

TEST(Markup, HasNoNameForWhatActs) {
  for (std::string_view const tag :
       {"script", "style", "img", "iframe", "object", "embed", "link", "base", "form", "meta"}) {
    EXPECT_EQ(std::ranges::find(kTags, tag), std::end(kTags)) << tag;
  }
  for (std::string_view const name : kAttributes) {
    EXPECT_FALSE(name.starts_with("on") || name == "src" || name == "href" || name == "style") << name;
  }
}

// Every single octet and pair of them, inside an element and an attribute: a well-formed document with the same shape.
TEST(Markup, StaysWellFormedWhateverTheTextIs) {
  for (int first = 0; first < 256; first++) {
    for (int second = 0; second < 256; second += 5) {
      std::string const text = {static_cast<char>(first), static_cast<char>(second)};
      Markup const made = element("p", {{"title", text}}, text, element("b", {}, text));
      pugi::xml_document document;
      ASSERT_TRUE(document.load_string(made.octets().c_str())) << first << " " << second;
      ASSERT_EQ(std::distance(document.begin(), document.end()), 1);
      pugi::xml_node const only = document.child("p");
      ASSERT_STREQ(only.last_child().name(), "b") << first << " " << second;
      ASSERT_EQ(std::distance(only.attributes_begin(), only.attributes_end()), 1);
    }
  }
}

}  // namespace
}  // namespace audiostore::html
