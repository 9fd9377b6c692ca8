// See the header. Shared memory is plain C data: it has neither constructors nor destructors.
#include "monitor/shared.hpp"

#include <csignal>

#include "monitor/wake.hpp"

namespace audiostore::monitor {
namespace {

constexpr const char* kName = "audiostore";

Shared* state = nullptr;
shmem_startup_hook_type previous_startup = nullptr;
constexpr int kMostFeatures = 4;
MoreShared features[kMostFeatures];
int feature_count = 0;

// As many as there can be background workers; slots without a process make room for those with one.
int slots_wanted() { return max_worker_processes; }

std::size_t size_wanted() {
  return add_size(offsetof(Shared, slots), mul_size(sizeof(Slot), static_cast<std::size_t>(slots_wanted())));
}

void request() {
  RequestAddinShmemSpace(size_wanted());
  RequestNamedLWLockTranche(kName, 1);
  for (int i = 0; i < feature_count; i++) RequestAddinShmemSpace(features[i].size);
}

void set_up(Shared& fresh) {
  std::memset(static_cast<void*>(&fresh), 0, size_wanted());
  fresh.lock = &GetNamedLWLockTranche(kName)->lock;
  ConditionVariableInit(&fresh.left);
  pg_atomic_init_u64(&fresh.rows_added, 1);
  fresh.slot_count = slots_wanted();
  for (int i = 0; i < fresh.slot_count; i++) {
    Slot& slot = fresh.slots[i];
    for (pg_atomic_uint64* counter : {&slot.wakes, &slot.last_step, &slot.done, &slot.failed, &slot.bytes}) {
      pg_atomic_init_u64(counter, 0);
    }
  }
}

void attach() {
  if (previous_startup != nullptr) previous_startup();
  bool found = false;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  state = static_cast<Shared*>(ShmemInitStruct(kName, size_wanted(), &found));
  if (!found) set_up(*state);
  for (int i = 0; i < feature_count; i++) {
    void* const memory = ShmemInitStruct(features[i].name, features[i].size, &found);
    features[i].attach(memory, !found);
  }
  LWLockRelease(AddinShmemInitLock);
}

}  // namespace

Slot* Shared::find(Oid database) {
  for (int i = 0; i < slot_count; i++) {
    if (slots[i].state != State::free && slots[i].database == database) return &slots[i];
  }
  return nullptr;
}

bool Shared::has_news() const {
  return changed_count > 0 || all_changed ||
         std::any_of(slots, slots + slot_count, [](const Slot& slot) { return slot.state == State::ended; });
}

void add_shared(const MoreShared& wanted) {
  Assert(feature_count < kMostFeatures);
  features[feature_count++] = wanted;
}

void init_shared() {
  pg::when_shared_memory_is_sized(request);
  previous_startup = shmem_startup_hook;
  shmem_startup_hook = attach;
}

Shared* shared() noexcept { return state; }

void wake_launcher(const Shared& current) noexcept {
  if (current.launcher != nullptr) SetLatch(&current.launcher->procLatch);
}

namespace {

void wake(Slot& slot) {
  pg_atomic_fetch_add_u64(&slot.wakes, 1);
  if (slot.process != nullptr) SetLatch(&slot.process->procLatch);
}

}  // namespace

bool wake(Oid database) noexcept {
  if (state == nullptr) return false;
  Locked const locked(LW_SHARED);
  Slot* slot = state->find(database);
  if (slot == nullptr || slot->state != State::running) return false;
  wake(*slot);
  return true;
}

void note_rows_added() noexcept {
  if (state != nullptr) pg_atomic_fetch_add_u64(&state->rows_added, 1);
}

std::uint64_t rows_added() noexcept { return state != nullptr ? pg_atomic_read_u64(&state->rows_added) : 0; }

void announce(Oid database) noexcept {
  if (state == nullptr) return;
  Locked const locked;
  if (state->changed_count < kMaxChanged) {
    state->changed[state->changed_count++] = database;
  } else {
    state->all_changed = true;
  }
  wake_launcher(*state);
  Slot* slot = state->find(database);
  if (slot == nullptr) return;
  slot->look_again = true;
  wake(*slot);
}

bool reserve(Oid database) {
  Locked const locked;
  if (state->reservation_count == kMaxReservations) return false;
  state->reservations[state->reservation_count++] = {database, MyProcPid};
  // Under the lock a slot's process exists: it clears its slot before it ends. One that has not come up yet finds
  // the reservation when it does.
  Slot* slot = state->find(database);
  if (slot != nullptr && slot->pid != 0) kill(slot->pid, SIGTERM);
  return true;
}

void wait_until_free(Oid database) {
  TimestampTz const deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 5000);
  auto occupied = [&] {
    Locked const locked(LW_SHARED);
    const Slot* slot = state->find(database);
    return slot != nullptr && (slot->state == State::starting || slot->state == State::running);
  };
  while (occupied() && GetCurrentTimestamp() < deadline) {
    pg::call([] { ConditionVariableTimedSleep(&state->left, 100, PG_WAIT_EXTENSION); });
  }
  ConditionVariableCancelSleep();
}

void release() noexcept {
  if (state == nullptr) return;
  Locked const locked;
  int kept = 0;
  for (int i = 0; i < state->reservation_count; i++) {
    if (state->reservations[i].pid != MyProcPid) state->reservations[kept++] = state->reservations[i];
  }
  if (kept == state->reservation_count) return;
  state->reservation_count = kept;
  state->releases++;
  wake_launcher(*state);
}

void set_text(char* target, std::size_t size, std::string_view text) noexcept {
  auto const cut = pg_mbcliplen(text.data(), static_cast<int>(text.size()), static_cast<int>(size) - 1);
  std::memcpy(target, text.data(), static_cast<std::size_t>(cut));
  target[cut] = '\0';
}

}  // namespace audiostore::monitor
