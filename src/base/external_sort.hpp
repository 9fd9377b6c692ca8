// Sorting more than fits into memory: records of a key and a few octets, in byte order of the keys, through temporary
// files. The work is done in pieces, so that whoever has other things to do can do them in between. Records of equal
// keys come in no particular order.
//
//   add ... add          sorted runs of a few megabytes go to files
//   work(n) ... true     runs are merged, n records at a time, until one is left
//   read_after(key)      readers, as many as you like, each from any key on
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/spool.hpp"

namespace audiostore {

struct ExternalSortLimits {
  std::size_t memory = std::size_t{8} << 20;  // of a run
  std::size_t fan_in = 32;                    // runs merged at once
};

class ExternalSort {
 public:
  // Files go into this directory (see Spool).
  explicit ExternalSort(std::string directory, ExternalSortLimits limits = {});
  ~ExternalSort();
  ExternalSort(ExternalSort&&) noexcept;
  ExternalSort& operator=(ExternalSort&&) noexcept;
  ExternalSort(const ExternalSort&) = delete;
  ExternalSort& operator=(const ExternalSort&) = delete;

  void add(std::string_view key, std::string_view value);
  // After the last add(). True when everything is sorted.
  bool work(std::size_t records);

  class Reader {
   public:
    ~Reader();
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    // False at the end; else key() and value() are the next record's, until the next call.
    bool next();
    std::string_view key() const;
    std::string_view value() const;

   private:
    friend class ExternalSort;
    struct Impl;
    explicit Reader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  // Records with keys greater than this; once work() has returned true. The sort outlives its readers.
  Reader read_after(std::string_view key) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace audiostore
