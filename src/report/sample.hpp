// Counting large tables in time: all of a table that is not large, and of others some blocks, taken from everywhere in
// it. The same blocks each time, so that two reports of one state say the same.
#pragma once

#include <string>

namespace audiostore::report {

struct Sample {
  double percent = 100;  // of the blocks; what is counted in them times 100 / percent is the estimate

  std::string says() const;  // for the reader, where it is less than all of them
};

// Of the table and its partitions.
Sample sample_of(const char* table);

}  // namespace audiostore::report
