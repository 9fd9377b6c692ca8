#include "base/xml.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace audiostore::xml {
namespace {

bool refused(BytesView text) {
  try {
    Document::parse(text);
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_reply);
    return true;
  }
}

TEST(Xml, ReadsElementsWhateverTheirNamespace) {
  for (const char* text : {"<Error><Code>X</Code></Error>", R"(<Error xmlns="urn:a"><Code>X</Code></Error>)",
                           R"(<?xml version="1.0"?><s3:Error xmlns:s3="urn:a"><s3:Code>X</s3:Code></s3:Error>)"}) {
    const Document document = Document::parse(text);
    EXPECT_EQ(name(document.root()), "Error");
    EXPECT_EQ(child_text(document.root(), "Code"), "X");
    EXPECT_EQ(child_text(document.root(), "Nothing"), std::nullopt);
  }
}

TEST(Xml, KeepsTextAsItIs) {
  const auto read = [](const char* text) { return xml::text(Document::parse(text).root()); };
  EXPECT_EQ(read("<a>  </a>"), "  ");
  EXPECT_EQ(read("<a>x<!-- y -->z</a>"), "xz");
  EXPECT_EQ(read("<a><![CDATA[<&>]]>!</a>"), "<&>!");
  EXPECT_EQ(read("<a>&amp;&lt;&#10;&#xe4;&quot;</a>"), "&<\n\xc3\xa4\"");
}

TEST(Xml, HostileDocumentsAreRefused) {
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("not xml"));
  EXPECT_TRUE(refused("<a>"));
  EXPECT_TRUE(refused("<a></b>"));
  EXPECT_TRUE(refused("<a/><b/>"));
  EXPECT_TRUE(refused("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"));
  EXPECT_TRUE(refused("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"));
  EXPECT_TRUE(refused(BytesView("<a>x\0y</a>", 10)));
  EXPECT_TRUE(refused("<a>x&#0;y</a>"));
  EXPECT_TRUE(refused("<a>x&#x000;y</a>"));
  EXPECT_THROW(Document::parse("<a>" + std::string(1000, 'x') + "</a>", 100), Error);
}

TEST(Xml, DeepNestingIsNoProblem) {
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "<a>";
  for (int i = 0; i < 200000; ++i) deep += "</a>";
  EXPECT_EQ(name(Document::parse(deep).root()), "a");
}

TEST(Xml, EscapedTextComesBackUnchanged) {
  std::string all = "\t\n\r \xc3\xa4\xf0\x9f\x8e\xb5";
  for (char c = ' '; c < 0x7f; ++c) all += c;
  EXPECT_TRUE(can_carry(all));
  std::string document = "<a>";
  append_escaped(document, all);
  document += "</a>";
  EXPECT_EQ(text(Document::parse(document).root()), all);
}

TEST(Xml, SomeCharactersCannotBeCarried) {
  for (const std::string_view text : {"\x01", "a\x1f", "\x0b", "\xef\xbf\xbe", "\xef\xbf\xbf"}) {
    EXPECT_FALSE(can_carry(text));
  }
  EXPECT_TRUE(can_carry("\xef\xbf\xbd"));
}

}  // namespace
}  // namespace audiostore::xml
