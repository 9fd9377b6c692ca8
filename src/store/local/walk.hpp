// Listing in the byte order of whole keys. Sorting a directory's names is not enough: the objects below `a` come
// after `a-b` and `a.b` but before `a0`, so a directory sorts as its name with a slash behind it.
//
// Memory is bounded: of a directory, the walk keeps the next 64k names and reads it again when they are used up.
// Directories that cannot hold a key with the prefix, or only keys up to `after`, are not read at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/local/root.hpp"
#include "store/store.hpp"

namespace audiostore::store::local {

inline constexpr std::size_t kWindow = 65536;

class Walk {
 public:
  // Whole keys: the store's prefix is part of both.
  Walk(std::string prefix, std::string after, std::size_t window = kWindow);

  // The next object in key order; none at the end. Objects that vanish while the walk is on its way are passed over.
  std::optional<ObjectInfo> next(const Root& root);

  // True when next() would find nothing; false where that takes reading on to tell.
  bool exhausted() const;

  // Gives back the open directory between pages; the walk goes on with any Root of the same directory.
  void rest() { open_ = {}; }

 private:
  struct Entry {
    std::string sort_key;  // a directory's ends with a slash
    bool is_directory() const { return sort_key.back() == '/'; }
  };
  struct Level {
    std::string path;            // with trailing slash; empty: the root
    std::vector<Entry> entries;  // in descending order, so that the next one is at the back
    std::string after;           // sort keys up to this one are done
    bool complete = false;       // no names beyond `entries`
  };

  // Reads the level's next names; nothing when its directory is gone.
  void fill(const Root& root, Level& level);
  bool wanted(const Level& level, std::string_view name, bool is_directory) const;
  // False when the directory is gone, or was replaced by something else.
  bool open_directory(const Root& root, const std::string& path);

  std::string prefix_;
  std::string after_;
  std::size_t window_;
  std::vector<Level> levels_;
  Descriptor open_;
  std::string open_path_;
};

}  // namespace audiostore::store::local
