#include "store/local/walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/encoding.hpp"
#include "store/local/failure.hpp"
#include "store/local/key.hpp"
#include "store/local/object.hpp"

namespace audiostore::store::local {
namespace {

constexpr std::string_view kLostAndFound = "lost+found/";  // of a file system's own root: not ours, and not readable

enum class Type { file, directory, other };

Type type_of(mode_t mode) {
  if (S_ISREG(mode)) return Type::file;
  return S_ISDIR(mode) ? Type::directory : Type::other;
}

Type type_of(int directory, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG: return Type::file;
    case DT_DIR: return Type::directory;
    case DT_UNKNOWN: break;
    default: return Type::other;
  }
  struct stat status {};
  if (fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Type::other;
  return type_of(status.st_mode);
}

// The directory that a listing of this prefix starts in, with its trailing slash; none when no key can have it.
std::optional<std::string> start_of(std::string_view prefix) {
  const std::size_t slash = prefix.rfind('/');
  if (slash == std::string_view::npos) return std::string{};
  if (!why_not_a_key(prefix.substr(0, slash)).empty()) return std::nullopt;
  return std::string(prefix.substr(0, slash + 1));
}

}  // namespace

Walk::Walk(std::string prefix, std::string after, std::size_t window)
    : prefix_(std::move(prefix)), after_(std::move(after)), window_(std::max<std::size_t>(window, 1)) {
  if (after_ > prefix_ && !after_.starts_with(prefix_)) return;  // beyond every key with the prefix
  if (auto start = start_of(prefix_)) levels_.push_back({.path = std::move(*start), .entries = {}, .after = {}});
}

bool Walk::wanted(const Level& level, std::string_view name, bool is_directory) const {
  if (!why_not_a_segment(name).empty() || !is_utf8(name)) return false;
  if (level.path.size() + name.size() > kMaxKeyBytes) return false;
  std::string whole = level.path;
  whole += name;
  if (is_directory) whole += '/';
  if (!whole.starts_with(prefix_)) return false;
  return whole > after_ || (is_directory && after_.starts_with(whole));
}

bool Walk::open_directory(const Root& root, const std::string& path) {
  if (open_ && open_path_ == path) return true;
  open_ = root.open_directory(path.empty() ? path : path.substr(0, path.size() - 1));
  open_path_ = path;
  if (open_) return true;
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
  if (errno == EACCES && path == kLostAndFound) return false;
  throw failure(errno, "could not open directory", path);
}

void Walk::fill(const Root& root, Level& level) {
  level.complete = true;
  if (!open_directory(root, level.path)) return;
  const int listing = openat(open_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) {
    if (errno == ENOENT) return;
    throw failure(errno, "could not open directory", level.path);
  }
  std::unique_ptr<DIR, int (*)(DIR*)> const directory(fdopendir(listing), closedir);
  if (!directory) {
    const int error_number = errno;
    ::close(listing);
    throw failure(error_number, "could not open directory", level.path);
  }

  const auto ascending = [](const Entry& a, const Entry& b) { return a.sort_key < b.sort_key; };
  std::vector<Entry>& found = level.entries;
  std::string bound;  // of the names seen so far, those beyond it are left for the next reading
  const auto shrink = [&] {
    const auto last = found.begin() + static_cast<std::ptrdiff_t>(window_) - 1;
    std::nth_element(found.begin(), last, found.end(), ascending);
    bound = last->sort_key;
    found.resize(window_);
    level.complete = false;
  };
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) {
      if (errno != 0 && errno != ENOENT) throw failure(errno, "could not read directory", level.path);
      break;
    }
    const Type type = type_of(open_.get(), *entry);
    if (type == Type::other || !wanted(level, entry->d_name, type == Type::directory)) continue;
    std::string sort_key = entry->d_name;
    if (type == Type::directory) sort_key += '/';
    if (sort_key <= level.after || (!bound.empty() && sort_key > bound)) continue;
    found.push_back({std::move(sort_key)});
    if (found.size() >= 2 * window_) shrink();
  }
  if (found.size() > window_) shrink();
  std::sort(found.begin(), found.end(), [&](const Entry& a, const Entry& b) { return ascending(b, a); });
}

bool Walk::exhausted() const {
  return std::all_of(levels_.begin(), levels_.end(),
                     [](const Level& level) { return level.complete && level.entries.empty(); });
}

std::optional<ObjectInfo> Walk::next(const Root& root) {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.entries.empty()) {
      if (level.complete) {
        levels_.pop_back();
      } else {
        fill(root, level);
      }
      continue;
    }
    const bool is_directory = level.entries.back().is_directory();
    level.after = std::move(level.entries.back().sort_key);
    level.entries.pop_back();
    if (is_directory) {
      std::string below = level.path + level.after;
      levels_.push_back({.path = std::move(below), .entries = {}, .after = {}});
      continue;
    }
    struct stat status {};
    if (!open_directory(root, level.path)) {
      levels_.pop_back();
      continue;
    }
    if (fstatat(open_.get(), level.after.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      throw failure(errno, "could not read the attributes of object", level.path + level.after);
    }
    if (type_of(status.st_mode) == Type::file) return describe(status, level.path + level.after);
  }
  return std::nullopt;
}

}  // namespace audiostore::store::local
