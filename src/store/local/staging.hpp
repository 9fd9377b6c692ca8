// Atomic writing: bytes go into a file of its own below .audiostore-tmp, are made durable, and are renamed to
// their key. A process that is killed in between leaves a file there; whoever comes after removes files that have
// not been written to for a day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "store/local/root.hpp"
#include "store/store.hpp"

namespace audiostore::store::local {

class StagedFile {
 public:
  StagedFile(const Root& root, Random& random, std::string_view key);
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile();  // removes the file unless it was published

  int fd() const noexcept { return file_.get(); }
  void write(BytesView data);
  // Everything in `source` (size bytes), shared or copied in the kernel where the file systems can.
  void copy_from(int source, std::uint64_t size);
  // Makes the file durable and gives it its key. When this returns, it survives a power failure.
  void publish();

 private:
  const Root& root_;
  std::string key_;
  Descriptor staging_;
  std::string name_;
  Descriptor file_;
  bool published_ = false;
};

// All of them, in no order, described by their names.
std::vector<ObjectInfo> staged_files(const Root& root);

// Removes what crashed writers left behind; errors are the next caller's business.
void remove_stale_files(const Root& root, TimePoint now);

}  // namespace audiostore::store::local
