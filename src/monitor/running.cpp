// See the header. An entry belongs to the process whose pid it has; one that a process left behind is free again when
// that process ends, whichever way.
#include "monitor/running.hpp"

#include "monitor/shared.hpp"
#include "pg/datum.hpp"
#include "pg/result_set.hpp"

namespace audiostore::monitor {

struct RunningEntry {
  int pid;  // 0: free; under the lock of shared.hpp, as is everything but the numbers
  Oid database;
  TimestampTz started_at;
  pg_atomic_uint64 done;
  pg_atomic_uint64 total;
  char task[32];
  char subject[128];
};

namespace {

constexpr int kEntries = 128;
constexpr auto kUnknown = static_cast<std::uint64_t>(-1);

RunningEntry* entries = nullptr;
bool leaves_at_exit = false;

void attach(void* memory, bool fresh) {
  entries = static_cast<RunningEntry*>(memory);
  if (!fresh) return;
  std::memset(memory, 0, sizeof(RunningEntry) * kEntries);
  for (int i = 0; i < kEntries; i++) {
    pg_atomic_init_u64(&entries[i].done, 0);
    pg_atomic_init_u64(&entries[i].total, 0);
  }
}

// FATAL runs no destructor.
void leave(int /*code*/, Datum /*argument*/) {
  Locked const locked;
  for (int i = 0; i < kEntries; i++) {
    if (entries[i].pid == MyProcPid) entries[i].pid = 0;
  }
}

RunningEntry* free_entry() {
  for (int i = 0; i < kEntries; i++) {
    if (entries[i].pid == 0) return &entries[i];
  }
  return nullptr;
}

}  // namespace

Running::Running(std::string_view task, std::string_view subject) noexcept {
  if (entries == nullptr || shared() == nullptr) return;
  if (!leaves_at_exit) {
    before_shmem_exit(leave, Datum{0});
    leaves_at_exit = true;
  }
  Locked const locked;
  entry_ = free_entry();
  if (entry_ == nullptr) return;
  entry_->pid = MyProcPid;
  entry_->database = MyDatabaseId;
  entry_->started_at = GetCurrentTimestamp();
  pg_atomic_write_u64(&entry_->done, 0);
  pg_atomic_write_u64(&entry_->total, kUnknown);
  set_text(entry_->task, sizeof entry_->task, task);
  set_text(entry_->subject, sizeof entry_->subject, subject);
}

void Running::done(std::int64_t amount) noexcept {
  if (entry_ != nullptr) pg_atomic_write_u64(&entry_->done, static_cast<std::uint64_t>(amount));
}

void Running::total(std::int64_t amount) noexcept {
  if (entry_ != nullptr) pg_atomic_write_u64(&entry_->total, static_cast<std::uint64_t>(amount));
}

void Running::end() noexcept {
  if (entry_ == nullptr) return;
  Locked const locked;
  entry_->pid = 0;
  entry_ = nullptr;
}

void init_running() { add_shared({sizeof(RunningEntry) * kEntries, "audiostore running", attach}); }

namespace {

struct Seen {
  int pid;
  TimestampTz started_at;
  std::uint64_t done, total;
  char task[sizeof(RunningEntry::task)];
  char subject[sizeof(RunningEntry::subject)];
};

Seen look_at(RunningEntry& entry) {
  Seen seen{};
  seen.pid = entry.pid;
  seen.started_at = entry.started_at;
  seen.done = pg_atomic_read_u64(&entry.done);
  seen.total = pg_atomic_read_u64(&entry.total);
  std::memcpy(seen.task, entry.task, sizeof seen.task);
  std::memcpy(seen.subject, entry.subject, sizeof seen.subject);
  return seen;
}

std::vector<Seen> look() {
  std::vector<Seen> all;
  if (entries == nullptr) return all;
  all.reserve(kEntries);
  Locked const locked(LW_SHARED);
  for (int i = 0; i < kEntries; i++) {
    if (entries[i].pid != 0 && entries[i].database == MyDatabaseId) all.push_back(look_at(entries[i]));
  }
  return all;
}

NullableDatum number(std::uint64_t value) {
  return {Int64GetDatum(static_cast<std::int64_t>(value)), value == kUnknown};
}

Datum running_tasks(FunctionCallInfo info) {
  pg::ResultSet rows(info);
  for (const Seen& one : look()) {
    rows.add({pg::text_or_null(one.task),
              pg::text_or_null(one.subject),
              {Int32GetDatum(one.pid), false},
              {TimestampTzGetDatum(one.started_at), false},
              number(one.done),
              number(one.total)});
  }
  return Datum{0};
}

}  // namespace

AUDIOSTORE_FUNCTION(running_tasks, running_tasks)

}  // namespace audiostore::monitor
