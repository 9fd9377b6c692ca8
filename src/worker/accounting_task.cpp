#include "worker/accounting_task.hpp"

namespace audiostore::worker {
namespace {

// How often it looks whether the setting has changed.
constexpr std::chrono::minutes kLook{1};

}  // namespace

TimePoint AccountingTask::step(TimePoint now) {
  if (accounting_.busy()) {
    if (std::optional<cost::Accounted> const result = accounting_.step()) end(*result);
    return now;
  }
  std::chrono::seconds const interval = pg::settings::accounting_interval();
  if (interval.count() == 0) return now + kLook;
  TimePoint next = last_ + interval;
  if (!looked_) {
    next = accounting_.due(interval);
    looked_ = true;
  }
  if (next > now) {
    last_ = next - interval;
    return std::min(next, now + kLook);
  }
  last_ = now;
  begin();
  return now;
}

void AccountingTask::begin() {
  run_ = transactions_.run([] { return begin_run("accounting"); });
  accounting_.begin();
}

void AccountingTask::end(const cost::Accounted& result) {
  transactions_.run([&] { finish_run(*run_, {.rows = result.objects, .bytes = result.bytes, .error = result.error}); });
  run_.reset();
}

}  // namespace audiostore::worker
