#include "monitor/progress.hpp"

#include "monitor/shared.hpp"

namespace audiostore::monitor {
namespace {

Slot* slot = nullptr;

}  // namespace

void set_own_slot(Slot* own) noexcept { slot = own; }

void count(const Progress& progress) noexcept {
  if (slot == nullptr) return;
  if (progress.done != 0) pg_atomic_fetch_add_u64(&slot->done, static_cast<int64>(progress.done));
  if (progress.failed != 0) pg_atomic_fetch_add_u64(&slot->failed, static_cast<int64>(progress.failed));
  if (progress.bytes != 0) pg_atomic_fetch_add_u64(&slot->bytes, static_cast<int64>(progress.bytes));
}

void note_error(std::string_view message) noexcept {
  if (slot == nullptr) return;
  Locked const locked;
  slot->last_error_at = GetCurrentTimestamp();
  set_text(slot->last_error, sizeof slot->last_error, message);
}

void activity(std::string_view what) noexcept {
  if (slot == nullptr) return;
  char text[128];
  set_text(text, sizeof text, what);
  pgstat_report_activity(STATE_RUNNING, text);
}

}  // namespace audiostore::monitor
