#include "html/table.hpp"

#include "html/quantity.hpp"

namespace audiostore::html {
namespace {

const char* class_of(Column::Kind kind) {
  switch (kind) {
    case Column::Kind::number: return "number";
    case Column::Kind::bar: return "share";
    case Column::Kind::word: return "word";
    case Column::Kind::text: break;
  }
  return "text";
}

}  // namespace

Table::Table(std::string caption, std::vector<Column> columns)
    : caption_(std::move(caption)), columns_(std::move(columns)) {}

void Table::add(const std::vector<Markup>& cells) {
  Element row("tr", {});
  for (std::size_t i = 0; i < columns_.size(); i++) {
    const Column& column = columns_[i];
    Markup const content = i < cells.size() && !cells[i].empty() ? cells[i] : Markup("\u2013");
    if (i == 0) {
      row.add(element("th", {{"scope", "row"}, {"class", class_of(column.kind)}}, content));
    } else {
      row.add(element("td", {{"class", class_of(column.kind)}},
                      element("span", {{"class", "name"}, {"aria-hidden", "true"}}, column.name),
                      element("span", {{"class", "cell"}}, content)));
    }
  }
  body_ += std::move(row).finish();
  rows_++;
}

Markup Table::head() const {
  Element row("tr", {});
  for (const Column& column : columns_) {
    row.add(element("th", {{"scope", "col"}, {"class", class_of(column.kind)}}, column.name));
  }
  return element("thead", {}, std::move(row).finish());
}

Markup Table::finish(std::int64_t total) const {
  return element("div", {{"class", "table"}},
                 element("table", {{"aria-label", caption_}}, head(), element("tbody", {}, body_))) +
         and_more(total, rows_);
}

Markup and_more(std::int64_t total, std::size_t shown) {
  std::int64_t const left = total - static_cast<std::int64_t>(shown);
  if (left <= 0) return {};
  return element("p", {{"class", "more"}}, "and " + count(left) + " more");
}

}  // namespace audiostore::html
