// Tables that stay readable on a narrow screen: each cell knows its column's name, which stands before it there.
#pragma once

#include <string>
#include <vector>

#include "html/markup.hpp"

namespace audiostore::html {

struct Column {
  std::string name;
  // text: may be long, and breaks anywhere; word: does not break; number: to the right; bar: with its figure
  enum class Kind { text, word, number, bar } kind = Kind::text;
};

class Table {
 public:
  // The caption says what the rows are, for those who do not see what is around them.
  Table(std::string caption, std::vector<Column> columns);

  // As many cells as there are columns; the first one names the row. Empty cells say so with a dash.
  void add(const std::vector<Markup>& cells);
  bool empty() const { return rows_ == 0; }
  std::size_t size() const { return rows_; }

  // `total`: how many rows there are, of which only the first ones were added.
  Markup finish(std::int64_t total) const;
  Markup finish() const { return finish(static_cast<std::int64_t>(rows_)); }

 private:
  Markup head() const;

  std::string caption_;
  std::vector<Column> columns_;
  Markup body_;
  std::size_t rows_ = 0;
};

// "and 1,234 more"; nothing when there are none.
Markup and_more(std::int64_t total, std::size_t shown);

}  // namespace audiostore::html
