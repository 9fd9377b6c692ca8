// What the database worker does again and again, behind one small interface. A task keeps network exchanges in
// flight between its steps; the loop (worker/loop.cpp) owns the waiting. What would surprise you: step() runs after
// every wake, every reply and every deadline, so it must be cheap when nothing is due.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "http/client.hpp"

namespace audiostore::worker {

class RecurringTask {
 public:
  virtual ~RecurringTask() = default;

  virtual std::string_view name() const = 0;

  // Does what is due without waiting for a socket: settle what came back, claim, start exchanges. Opens and ends its
  // own short transactions and leaves none open. Returns when it wants to run again at the latest (TimePoint::max():
  // only when woken or when a reply comes in). Whatever it throws is logged, the transaction is aborted and the task
  // runs again after a pause that grows with each failure in a row.
  virtual TimePoint step(TimePoint now) = 0;

  // True while it holds claims or has exchanges in flight.
  virtual bool busy() const = 0;

  // Descriptors whose becoming readable is a reason to step, other than those of the HTTP client.
  virtual void add_wait_fds(std::vector<int>& /*fds*/) const {}

  // Gives every claim back; called once if busy(), outside a transaction, before the worker ends. Must return within a
  // second: exchanges in flight are dropped, not awaited.
  virtual void stop() = 0;
};

// The tasks of a database worker, in the order in which they step. The one place where a task is registered.
std::vector<std::unique_ptr<RecurringTask>> make_tasks(http::Client& client);

}  // namespace audiostore::worker
