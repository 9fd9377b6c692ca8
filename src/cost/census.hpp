// Counts what is tracked piece by piece, each piece in a short transaction of the caller's, so that tables of any size
// neither hold up a worker nor keep a snapshot open. What would surprise you: pieces are ranges of pages, so a row that
// an UPDATE moves meanwhile may be counted twice or not at all; a sample of what is stored can live with that.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cost/usage.hpp"

namespace audiostore::cost {

class Census {
 public:
  // Inside a transaction: what is tracked now.
  explicit Census(std::vector<std::int64_t> minimums);

  // Counts the next piece, in the caller's transaction; false when there is none left.
  bool step();

  const std::vector<std::int64_t>& minimums() const { return minimums_; }
  // By store and class; without the stores that a table could have objects in which could not be counted.
  std::vector<Usage> result() const;
  const std::set<std::string>& left_out() const { return failed_; }
  bool left_out_all() const { return failed_anywhere_; }
  const std::string& error() const { return error_; }  // of the last table that could not be counted
  // In pages; the total is as of the start.
  std::int64_t done() const { return done_; }
  std::int64_t total() const { return total_; }

 private:
  using Sums = std::map<std::pair<std::string, std::string>, Usage>;  // by store and class

  static void add_to(Sums& sums, const Usage& usage);
  void open();
  void count();
  void next_column();
  void fail(const std::string& why);

  std::vector<std::int64_t> minimums_;
  std::vector<std::shared_ptr<const tracking::TrackedColumn>> columns_;
  std::size_t column_ = 0;
  bool open_ = false;
  BlockNumber next_ = 0;
  BlockNumber stride_ = 0;  // 0: all at once
  BlockNumber end_ = 0;
  BlockNumber parts_ = 0;
  std::int64_t pages_ = 0;   // of the column's table, with all its parts
  std::int64_t before_ = 0;  // pages of the columns before it
  Sums counted_;             // of the columns that are done
  Sums current_;
  std::set<std::string> failed_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  bool failed_anywhere_ = false;
  std::string error_;
};

}  // namespace audiostore::cost
