// A removal that is reported as done is never repeated, so each directory that lost a name is made durable before
// the report: once per directory and batch, and after all removals, so that a journaling file system commits them
// together.
#include "store/local/removal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "store/local/failure.hpp"
#include "store/local/key.hpp"

namespace audiostore::store::local {
namespace {

using Indexes = std::vector<std::size_t>;

std::optional<Error> remove_file(int parent, const std::string& name, const std::string& key) {
  struct stat status {};
  if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return failure(errno, "could not remove object", key);
  }
  if (S_ISDIR(status.st_mode)) return std::nullopt;  // no object of this name
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorKind::invalid_key, "could not remove object \"" + key + "\"", "It is not a regular file.",
                 "Something else than this store put it there; remove it by hand.");
  }
  if (unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) {
    return failure(errno, "could not remove object", key);
  }
  return std::nullopt;
}

// Removes the directory and its parents as far as they are empty; returns the first that stays.
std::string remove_emptied(const Root& root, std::string directory) {
  while (!directory.empty()) {
    const SplitKey place = split(directory);
    const Descriptor parent = root.open_directory(place.parent);
    if (parent && unlinkat(parent.get(), place.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) break;
    directory = place.parent;
  }
  return directory;
}

// Makes durable that names are gone from the directory, or that the directory itself is; 0 or errno.
int sync_directory(const Root& root, std::string directory) {
  for (;;) {
    if (const Descriptor open = root.open_directory(directory); open) return sync(open.get());
    if ((errno != ENOENT && errno != ENOTDIR) || directory.empty()) return errno;
    directory = split(directory).parent;
  }
}

}  // namespace

std::vector<std::optional<Error>> remove_files(const Root& root, const std::vector<std::string>& keys) {
  std::vector<std::optional<Error>> outcomes(keys.size());
  std::map<std::string, Indexes> by_parent;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    try {
      check_key(keys[i]);
      by_parent[split(keys[i]).parent].push_back(i);
    } catch (const Error& error) {
      outcomes[i] = error;
    }
  }
  const auto fail_all = [&](const Indexes& indexes, int error_number) {
    for (const std::size_t i : indexes) {
      if (!outcomes[i]) outcomes[i] = failure(error_number, "could not remove object", keys[i]);
    }
  };
  std::map<std::string, Indexes> to_sync;
  for (const auto& [parent, indexes] : by_parent) {
    const Descriptor directory = root.open_directory(parent);
    if (!directory) {
      if (errno != ENOENT && errno != ENOTDIR) fail_all(indexes, errno);
      if (errno == ENOENT) to_sync[parent] = indexes;  // whoever removed it may not have made that durable
      continue;
    }
    for (const std::size_t i : indexes) outcomes[i] = remove_file(directory.get(), split(keys[i]).name, keys[i]);
    Indexes& affected = to_sync[remove_emptied(root, parent)];
    affected.insert(affected.end(), indexes.begin(), indexes.end());
  }
  for (const auto& [directory, indexes] : to_sync) {
    if (const int error_number = sync_directory(root, directory); error_number != 0) fail_all(indexes, error_number);
  }
  return outcomes;
}

}  // namespace audiostore::store::local
