#include "cache/maintain.hpp"

#include "cache/counters.hpp"
#include "cache/hits.hpp"
#include "cache/recycle.hpp"
#include "pg/settings.hpp"

namespace audiostore::cache {
namespace {

// Evicting goes on until so much of a limit is used, so that it is not due with every put.
constexpr double kUntil = 0.97;
// What is colder than this part of the limit is given up when its segment is emptied.
constexpr double kCold = 0.90;
constexpr std::int64_t kSmallFile = std::int64_t{128} << 10;
// Expired entries are not worth copying others away from them when those expire soon as well.
constexpr std::int64_t kSoon = 60 * USECS_PER_SEC;

std::int64_t part(std::int64_t limit, double factor) {
  return static_cast<std::int64_t>(static_cast<double>(limit) * factor);
}

// Mostly dead rows: replaced, invalidated or deleted ones. Those that have expired go by themselves.
bool is_wasteful(const SegmentSurvey& segment, TimestampTz now) {
  if (segment.files.in_use < kSmallFile || segment.live == 0) return false;
  std::int64_t const average = segment.live_bytes / segment.live;
  std::int64_t const all = segment.live + segment.expired;
  if (segment.files.in_use > needed(all, average * all) * 3 / 2) return true;
  return segment.last_expiry - now > kSoon && segment.files.in_use > needed(segment.live, segment.live_bytes) * 3 / 2;
}

struct Candidate {
  int segment;
  std::int64_t cold, cold_bytes, warm;
};

// Segments by how much goes for what has to be copied.
std::vector<Candidate> candidates_of(const Survey& found, const Keep& keep, TimestampTz now) {
  std::vector<Candidate> all(kSegments);
  for (int i = 0; i < kSegments; i++) all[static_cast<std::size_t>(i)] = {i, 0, 0, 0};
  for (Surveyed const& row : found.live) {
    Candidate& candidate = all[(row.where >> 48) - 1];
    if (keep(row, now)) {
      candidate.warm++;
    } else {
      candidate.cold++;
      candidate.cold_bytes += row.size;
    }
  }
  std::erase_if(all, [](const Candidate& one) { return one.cold == 0; });
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.warm * b.cold < b.warm * a.cold; });
  return all;
}

// What a few entries keep from being given back.
std::uint64_t find_sparse(const Survey& found, Maintenance::Spare spare) {
  Storage storage[kSegments];
  for (SegmentSurvey const& segment : found.segments) {
    if (segment.live == 0 || segment.files.all < kSmallFile) continue;
    Storage& one = storage[segment.segment];
    one.used = true;
    one.in_use = needed(segment.live, segment.live_bytes);
    one.spare = std::max<std::int64_t>(segment.files.all - one.in_use, 0);
  }
  // Rows that are dead or have expired are among it.
  std::int64_t const allowed = spare == Maintenance::Spare::none ? 0 : spare_allowed(storage, Keeps::used);
  return to_give_back(storage, allowed, is_sparse);
}

}  // namespace

void Maintenance::look() {
  next_ = DT_NOEND;
  in_use_ = false;
  int segment = 0;
  for (SegmentState const& state : states()) {
    if (state.used) {
      in_use_ = true;
      next_ = std::min(next_, std::max(state.until, retry_at_[segment]));
    } else {
      retry_at_[segment] = 0;
    }
    segment++;
  }
}

std::vector<Maintenance::Task> Maintenance::find_expired() {
  TimestampTz const now = GetCurrentTimestamp();
  std::vector<Task> tasks;
  std::vector<Surveyed> rows;
  auto const known = states();
  for (int i = 0; i < kSegments; i++) {
    SegmentState const state = known[static_cast<std::size_t>(i)];
    if (!state.used || state.until > now || retry_at_[i] > now) continue;
    rows.clear();
    FileBytes unused;
    if (!survey_segment(i, rows, unused)) continue;
    TimestampTz last = 0;
    for (Surveyed const& row : rows) last = std::max(last, row.expires);
    if (last <= now) {
      tasks.push_back({i, Keep{}, false});
    } else {
      retry_at_[i] = last;  // it had to take others
    }
  }
  return tasks;
}

std::vector<Maintenance::Task> Maintenance::find_all(Spare spare) {
  fold_hits();
  TimestampTz const now = GetCurrentTimestamp();
  Survey const found = survey(now);
  Limits const most = limits();
  if (SharedCache* const shared = relations().shared) set_surveyed(*shared, found.entries, found.bytes);
  std::vector<Task> tasks;
  std::uint64_t chosen = 0;
  auto choose = [&](int segment, const Keep& keep) {
    if ((chosen & bit_of(segment)) != 0) return;
    chosen |= bit_of(segment);
    tasks.push_back({segment, keep, true});
  };
  for (SegmentSurvey const& segment : found.segments) {
    bool const open = states()[static_cast<std::size_t>(segment.segment)].open;
    if (segment.live == 0 && (segment.expired > 0 || !open || segment.files.in_use >= kSmallFile)) {
      choose(segment.segment, Keep{});
    }
  }
  bool const too_many = found.entries > most.entries;
  bool const too_large = most.bytes > 0 && found.bytes > most.bytes;
  if (too_many || too_large) {
    Keep const keep = cutoff(found.live, part(most.entries, kCold), part(most.bytes, kCold));
    std::int64_t entries = found.entries - part(most.entries, kUntil);
    std::int64_t bytes = most.bytes > 0 ? found.bytes - part(most.bytes, kUntil) : 0;
    for (Candidate const& candidate : candidates_of(found, keep, now)) {
      if (entries <= 0 && bytes <= 0) break;
      choose(candidate.segment, keep);
      entries -= candidate.cold;
      bytes -= candidate.cold_bytes;
    }
  }
  for (SegmentSurvey const& segment : found.segments) {
    if (is_wasteful(segment, now)) choose(segment.segment, Keep{});
  }
  std::uint64_t const sparse = find_sparse(found, spare);
  for (SegmentSurvey const& segment : found.segments) {
    if ((sparse & bit_of(segment.segment)) != 0) choose(segment.segment, Keep{});
  }
  return tasks;
}

std::uint64_t Maintenance::find_spare(Spare spare) {
  Storage storage[kSegments];
  auto const known = states();
  for (int i = 0; i < kSegments; i++) storage[i].used = known[static_cast<std::size_t>(i)].used;
  for (int i = 0; i < kSegments; i++) {
    auto const files = measure_files(i);
    if (!files) continue;
    if (!storage[i].used) {
      storage[i].spare = files->all;
      note_spare(i, files->all / BLCKSZ);
    } else {
      storage[i].in_use = files->in_use;
      storage[i].spare = files->all - files->in_use;
    }
  }
  return to_give_back(storage, spare == Spare::none ? 0 : spare_allowed(storage, Keeps::empty), is_empty);
}

void Maintenance::give_back_spare(Spare spare) {
  std::uint64_t giving = transactions_.run([&] { return find_spare(spare); });
  for (; giving != 0; giving &= giving - 1) {
    transactions_.run([&] { give_back(__builtin_ctzll(giving)); });
  }
}

std::int64_t Maintenance::run(bool thorough, Spare spare) {
  std::vector<Task> tasks;
  transactions_.run([&] {
    note_keys_if_needed(INT32_MAX);
    if (!lock_eviction(false)) return;
    tasks = find_expired();
    if (!thorough) return;
    std::uint64_t chosen = 0;
    for (Task const& task : tasks) chosen |= bit_of(task.segment);
    for (Task const& task : find_all(spare)) {
      if ((chosen & bit_of(task.segment)) == 0) tasks.push_back(task);
    }
  });
  Removed sum;
  std::uint64_t to_come = 0;
  for (Task const& task : tasks) to_come |= bit_of(task.segment);
  for (Task const& task : tasks) {
    to_come &= ~bit_of(task.segment);
    Removed const removed = transactions_.run([&] {
      if (!lock_eviction(false)) {
        retry_at_[task.segment] = GetCurrentTimestamp() + kLeastSlack;
        return Removed{};
      }
      // Hits are noted by place: those since the survey would be nobody's once the row has moved.
      if (task.moves) fold_hits();
      // What is moved goes to where it can stay, if there is such a place.
      Excluded const not_there(count_empty(states()) > 0 ? to_come : 0);
      auto const taken = try_to_empty(task.segment, task.keep);
      if (!taken) retry_at_[task.segment] = GetCurrentTimestamp() + kLeastSlack;
      return taken.value_or(Removed{});
    });
    sum += removed;
    // What comes next may need it; what is too much would pile up until the end.
    give_back_spare(spare);
  }
  if (tasks.empty()) give_back_spare(spare);
  transactions_.run([&] {
    count_removed(sum);
    look();
  });
  return sum.expired + sum.evicted;
}

void Maintenance::fold() {
  transactions_.run([] {
    if (!lock_eviction(false)) return;
    fold_hits();
    save_counters();
  });
}

}  // namespace audiostore::cache
