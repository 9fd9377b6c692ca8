#include "html/chart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <pugixml.hpp>
#include <set>

#include "html/document.hpp"
#include "html/quantity.hpp"
#include "html/sql.hpp"
#include "html/style.hpp"
#include "html/table.hpp"

namespace audiostore::html {
namespace {

using testing::HasSubstr;
using testing::Not;

pugi::xml_document parse(const Markup& markup) {
  pugi::xml_document document;
  EXPECT_TRUE(document.load_string(markup.octets().c_str(), pugi::parse_default)) << markup.octets();
  return document;
}

Chart chart() { return {.title = "Stored <all>", .headline = "3.00 GB", .note = "+1.00 GB", .write = bytes}; }

TEST(Chart, SaysItsNumbers) {
  auto const drawn = parse(line_chart(chart(), {{"24 Nov", 2e9}, {"25 Nov", std::nullopt}, {"26 Nov", 3e9}}));
  pugi::xml_node const svg = drawn.child("figure").child("svg");
  EXPECT_STREQ(svg.attribute("role").value(), "img");
  EXPECT_STREQ(svg.child_value("title"), "Stored <all>: 3.00 GB");
  EXPECT_STREQ(svg.child_value("desc"),
               "From 24 Nov to 26 Nov: last 3.00 GB (26 Nov), lowest 2.00 GB (24 Nov), highest 3.00 GB (26 Nov).");
  std::set<std::string> texts;
  for (pugi::xml_node text : svg.children("text")) texts.insert(text.child_value());
  EXPECT_EQ(texts, (std::set<std::string>{"3.00 GB", "24 Nov", "26 Nov"}));
}

TEST(Chart, LeavesGapsAndMarksLonePoints) {
  auto const drawn = parse(line_chart(chart(), {{"a", 1e9}, {"b", 2e9}, {"c", std::nullopt}, {"d", 1e9}}));
  pugi::xml_node const svg = drawn.child("figure").child("svg");
  std::string const line = svg.find_child_by_attribute("path", "class", "series").attribute("d").value();
  EXPECT_EQ(std::ranges::count(line, 'M'), 2);
  EXPECT_EQ(std::ranges::count(line, 'L'), 1);
  EXPECT_TRUE(svg.find_child_by_attribute("path", "class", "lone"));
}

TEST(Chart, StaysInsideItsFrame) {
  std::vector<Point> points;
  points.reserve(400);
  for (int i = 0; i < 400; i++) points.push_back({std::to_string(i), std::pow(10, i % 15)});
  auto const drawn = parse(line_chart(chart(), points));
  pugi::xml_node const last = drawn.child("figure").child("svg").child("circle");
  EXPECT_LE(last.attribute("cx").as_double() + 4, 360);
  EXPECT_GE(last.attribute("cy").as_double(), 22);
}

TEST(Chart, NothingToDrawIsNothing) {
  EXPECT_TRUE(line_chart(chart(), {}).empty());
  EXPECT_TRUE(line_chart(chart(), {{"a", std::nullopt}}).empty());
  EXPECT_TRUE(column_chart(chart(), {}).empty());
}

TEST(Chart, ColumnsNameEachPart) {
  auto const drawn =
      parse(column_chart(chart(), {{"Mon", 30, 10, "Mon: 30 hits, 10 misses"}, {"Tue", 0, 0, "Tue: none"}}));
  pugi::xml_node const svg = drawn.child("figure").child("svg");
  EXPECT_THAT(svg.child_value("desc"), HasSubstr("Most: Mon: 30 hits, 10 misses."));
  pugi::xml_node const monday = svg.child("g");
  EXPECT_STREQ(monday.child_value("title"), "Mon: 30 hits, 10 misses");
  double const filled = monday.find_child_by_attribute("rect", "class", "filled").attribute("height").as_double();
  double const outlined = monday.find_child_by_attribute("rect", "class", "outlined").attribute("height").as_double();
  EXPECT_NEAR(filled, 3 * outlined, 0.2);
  EXPECT_FALSE(monday.next_sibling("g").child("rect"));
}

TEST(Chart, BarsShowWhatIsNotNothing) {
  auto const width = [](double fraction) {
    return parse(bar(fraction, "x"))
        .child("svg")
        .find_child_by_attribute("rect", "class", "part")
        .attribute("width")
        .as_double();
  };
  EXPECT_EQ(width(0), 0);
  EXPECT_EQ(width(0.0001), 1);
  EXPECT_EQ(width(0.5), 50);
  EXPECT_EQ(width(7), 100);
  EXPECT_EQ(width(-1), 0);
  EXPECT_EQ(width(std::numeric_limits<double>::quiet_NaN()), 0);
}

TEST(Chart, RoundsUp) {
  EXPECT_EQ(round_up(0), 1);
  EXPECT_EQ(round_up(1), 1);
  EXPECT_EQ(round_up(1.2), 1.5);
  EXPECT_EQ(round_up(9.1), 10);
  EXPECT_DOUBLE_EQ(round_up(0.021), 0.025);
  EXPECT_EQ(round_up(std::numeric_limits<double>::infinity()), 1);
}

TEST(Table, EachCellKnowsItsColumn) {
  Table table("Stores", {{"Store"}, {"Bytes", Column::Kind::number}});
  EXPECT_TRUE(table.empty());
  table.add({value("<b>"), Markup()});
  auto const drawn = parse(element("div", {}, table.finish(1235)));
  pugi::xml_node const row = drawn.child("div").child("div").child("table").child("tbody").child("tr");
  EXPECT_STREQ(row.child("th").child_value("bdi"), "<b>");
  EXPECT_STREQ(row.child("td").find_child_by_attribute("span", "class", "name").child_value(), "Bytes");
  EXPECT_STREQ(row.child("td").find_child_by_attribute("span", "class", "cell").child_value(), "\u2013");
  EXPECT_STREQ(drawn.child("div").child_value("p"), "and 1,234 more");
  EXPECT_TRUE(and_more(3, 3).empty());
}

TEST(Sql, LiteralsComeOutAsTheyWentIn) {
  EXPECT_EQ(sql_literal("media"), "'media'");
  EXPECT_EQ(sql_literal("it's"), "'it''s'");
  EXPECT_EQ(sql_literal("a\\b'"), "E'a\\\\b'''");
  EXPECT_EQ(sql_literal("夜"), "'夜'");
  EXPECT_EQ(sql_literal("a\u202Eb\n\\'"), "U&'a\\202Eb\\000A\\\\'''");
  EXPECT_EQ(sql_literal("\U000E0041"), "U&'\\+0E0041'");
}

TEST(Document, AllowsItsOwnStyleSheetAlone) {
  std::string const page = document("a<b", element("p", {}, "x"));
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page, HasSubstr("<title>a&lt;b</title>"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
  pugi::xml_document tree;
  EXPECT_TRUE(tree.load_string(page.c_str(), pugi::parse_default | pugi::parse_doctype));
  EXPECT_STREQ(tree.child("html").child("head").child_value("style"), std::string(kStyle).c_str());
}

TEST(Document, StyleIsTheSameInHtmlAndXmlAndLoadsNothing) {
  EXPECT_EQ(kStyle.find_first_of("<&"), std::string_view::npos);
  EXPECT_THAT(std::string(kStyle), Not(HasSubstr("url(")));
  EXPECT_THAT(std::string(kStyle), Not(HasSubstr("@import")));
  EXPECT_TRUE(std::ranges::all_of(kStyle, [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

}  // namespace
}  // namespace audiostore::html
