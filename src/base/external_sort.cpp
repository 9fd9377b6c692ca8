#include "base/external_sort.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.hpp"

namespace audiostore {
namespace {

constexpr std::size_t kReadPiece = std::size_t{64} << 10;
constexpr std::size_t kWritePiece = std::size_t{256} << 10;
constexpr std::size_t kMarkEvery = std::size_t{64} << 10;
// More runs than this would be too many open files.
constexpr std::size_t kMostRuns = 128;

struct Lengths {
  std::uint32_t key;
  std::uint32_t value;
};

// Where a reader may begin: all keys before this place are smaller or equal.
struct Mark {
  std::string key;  // of the record before it
  std::uint64_t offset;
};

struct Run {
  Spool file;
  std::uint64_t size = 0;
  std::vector<Mark> marks;
};

class Writer {
 public:
  explicit Writer(const std::string& directory) : run_{.file = Spool(directory), .size = 0, .marks = {}} {}

  void write(std::string_view key, std::string_view value) {
    if (offset() >= next_mark_) {
      run_.marks.push_back({last_, offset()});
      next_mark_ = offset() + kMarkEvery;
    }
    Lengths const lengths{static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())};
    buffer_.append(reinterpret_cast<const char*>(&lengths), sizeof lengths).append(key).append(value);
    last_ = key;
    if (buffer_.size() >= kWritePiece) flush();
  }
  Run finish() {
    flush();
    return std::move(run_);
  }

 private:
  std::uint64_t offset() const { return run_.size + buffer_.size(); }
  void flush() {
    run_.file.append(buffer_);
    run_.size += buffer_.size();
    buffer_.clear();
  }

  Run run_;
  std::string buffer_;
  std::string last_;
  std::uint64_t next_mark_ = kMarkEvery;
};

class Cursor {
 public:
  explicit Cursor(const Run& run, std::uint64_t offset = 0) : run_(&run), offset_(offset) {}

  bool next() {
    Lengths lengths{};
    if (!fill(sizeof lengths)) return false;
    std::memcpy(&lengths, buffer_.data() + at_, sizeof lengths);
    std::size_t const size = sizeof lengths + lengths.key + lengths.value;
    if (!fill(size)) throw Error(ErrorKind::internal, "a temporary file of a sort was cut short");
    key_ = {buffer_.data() + at_ + sizeof lengths, lengths.key};
    value_ = {key_.data() + lengths.key, lengths.value};
    at_ += size;
    return true;
  }
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  // Sees to it that so many octets are at hand; false at the end.
  bool fill(std::size_t wanted) {
    if (buffer_.size() - at_ >= wanted) return true;
    buffer_.erase(0, at_);
    at_ = 0;
    while (buffer_.size() < wanted && offset_ < run_->size) {
      std::size_t const have = buffer_.size();
      auto const piece = static_cast<std::size_t>(
          std::min<std::uint64_t>(std::max(kReadPiece, wanted - have), run_->size - offset_));
      buffer_.resize(have + piece);
      ssize_t const got = pread(run_->file.fd(), buffer_.data() + have, piece, static_cast<off_t>(offset_));
      int const error = errno;
      buffer_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0 && error == EINTR) continue;
      if (got <= 0) {
        throw Error(ErrorKind::internal, "could not read a temporary file of a sort",
                    std::generic_category().message(error));
      }
      offset_ += static_cast<std::uint64_t>(got);
    }
    return buffer_.size() >= wanted;
  }

  const Run* run_;
  std::uint64_t offset_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::string_view key_;
  std::string_view value_;
};

// Some runs on their way into one.
struct Merge {
  std::vector<Run> runs;
  std::vector<Cursor> cursors;
  std::vector<std::size_t> heap;  // of cursors, the smallest key first
  Writer writer;

  Merge(std::vector<Run> from, const std::string& directory) : runs(std::move(from)), writer(directory) {
    for (Run const& run : runs) cursors.emplace_back(run);
    for (std::size_t i = 0; i < cursors.size(); i++) push(i);
  }
  // True at the end.
  bool step(std::size_t records) {
    Later const later{cursors};
    for (; records > 0 && !heap.empty(); records--) {
      std::pop_heap(heap.begin(), heap.end(), later);
      std::size_t const smallest = heap.back();
      heap.pop_back();
      writer.write(cursors[smallest].key(), cursors[smallest].value());
      push(smallest);
    }
    return heap.empty();
  }

 private:
  struct Later {
    const std::vector<Cursor>& cursors;
    bool operator()(std::size_t a, std::size_t b) const { return cursors[a].key() > cursors[b].key(); }
  };
  void push(std::size_t which) {
    if (!cursors[which].next()) return;
    heap.push_back(which);
    std::push_heap(heap.begin(), heap.end(), Later{cursors});
  }
};

}  // namespace

struct ExternalSort::Impl {
  struct Piece {
    std::uint32_t at;
    std::uint32_t key;
    std::uint32_t value;
  };

  std::string_view key_of(const Piece& piece) const { return {buffer.data() + piece.at, piece.key}; }

  void spill() {
    if (pieces.empty()) return;
    std::sort(pieces.begin(), pieces.end(),
              [this](const Piece& a, const Piece& b) { return key_of(a) < key_of(b); });
    Writer writer(directory);
    for (Piece const& piece : pieces) {
      writer.write(key_of(piece), {buffer.data() + piece.at + piece.key, piece.value});
    }
    runs.push_back(writer.finish());
    pieces.clear();
    buffer.clear();
  }

  void begin_merge() {
    std::size_t const count = std::min(std::max<std::size_t>(limits.fan_in, 2), runs.size());
    // The smallest ones, so that no record is written more often than it must.
    std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.size > b.size; });
    std::vector<Run> some;
    for (std::size_t i = 0; i < count; i++) {
      some.push_back(std::move(runs.back()));
      runs.pop_back();
    }
    merge = std::make_unique<Merge>(std::move(some), directory);
  }

  bool work(std::size_t records) {
    if (!merge && runs.size() > 1) begin_merge();
    if (!merge) return true;
    if (!merge->step(records)) return false;
    runs.push_back(merge->writer.finish());
    merge.reset();
    return runs.size() == 1;
  }

  std::string directory;
  ExternalSortLimits limits;
  std::string buffer;
  std::vector<Piece> pieces;
  std::vector<Run> runs;
  std::unique_ptr<Merge> merge;
};

ExternalSort::ExternalSort(std::string directory, ExternalSortLimits limits) : impl_(std::make_unique<Impl>()) {
  impl_->directory = std::move(directory);
  impl_->limits = limits;
}
ExternalSort::~ExternalSort() = default;
ExternalSort::ExternalSort(ExternalSort&&) noexcept = default;
ExternalSort& ExternalSort::operator=(ExternalSort&&) noexcept = default;

void ExternalSort::add(std::string_view key, std::string_view value) {
  Impl& self = *impl_;
  std::size_t const size = key.size() + value.size();
  std::size_t const used = self.buffer.size() + self.pieces.size() * sizeof(Impl::Piece);
  if (!self.pieces.empty() && used + size > self.limits.memory) {
    self.spill();
    if (self.runs.size() >= kMostRuns) {
      self.begin_merge();
      while (!self.work(kWritePiece) && self.merge) {
      }
    }
  }
  self.pieces.push_back({static_cast<std::uint32_t>(self.buffer.size()), static_cast<std::uint32_t>(key.size()),
                         static_cast<std::uint32_t>(value.size())});
  self.buffer.append(key).append(value);
}

bool ExternalSort::work(std::size_t records) {
  impl_->spill();
  return impl_->work(std::max<std::size_t>(records, 1));
}

struct ExternalSort::Reader::Impl {
  Cursor cursor;
  std::string after;
  bool behind = false;
};

ExternalSort::Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ExternalSort::Reader::~Reader() = default;
ExternalSort::Reader::Reader(Reader&&) noexcept = default;
ExternalSort::Reader& ExternalSort::Reader::operator=(Reader&&) noexcept = default;

bool ExternalSort::Reader::next() {
  if (!impl_) return false;
  while (impl_->cursor.next()) {
    if (!impl_->behind && impl_->cursor.key() <= impl_->after) continue;
    impl_->behind = true;
    return true;
  }
  return false;
}
std::string_view ExternalSort::Reader::key() const { return impl_->cursor.key(); }
std::string_view ExternalSort::Reader::value() const { return impl_->cursor.value(); }

ExternalSort::Reader ExternalSort::read_after(std::string_view key) const {
  if (impl_->runs.empty()) return Reader(nullptr);
  Run const& run = impl_->runs.front();
  auto const beyond = std::partition_point(run.marks.begin(), run.marks.end(),
                                           [key](const Mark& mark) { return std::string_view(mark.key) <= key; });
  std::uint64_t const offset = beyond == run.marks.begin() ? 0 : std::prev(beyond)->offset;
  return Reader(std::make_unique<Reader::Impl>(
      Reader::Impl{.cursor = Cursor(run, offset), .after = std::string(key), .behind = false}));
}

}  // namespace audiostore
