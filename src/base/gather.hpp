// Several tasks side by side inside one: `co_await all` starts them and goes on when the last one is done.
// What would surprise you: one that fails does not end the others; the first error is thrown once all have
// ended, so that nothing is still on the wire when the caller cleans up.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "base/task.hpp"

namespace audiostore {

namespace detail {

struct Gathering {
  std::size_t left = 0;
  std::coroutine_handle<> parent;
  std::exception_ptr error;
};

// The last one to arrive hands over to the parent by symmetric transfer: the parent may then destroy it.
struct Arrival {
  Gathering* gathering;
  static bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
    return --gathering->left == 0 ? gathering->parent : std::noop_coroutine();
  }
  static void await_resume() noexcept {}
};

inline Task<void> attend(Gathering* gathering, Task<void> task) {
  try {
    co_await task;
  } catch (...) {
    if (!gathering->error) gathering->error = std::current_exception();
  }
  Arrival arrival{gathering};
  co_await arrival;
}

struct StartAll {
  Gathering* gathering;
  std::vector<Task<void>>* tasks;
  static bool await_ready() noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) const {
    gathering->parent = parent;
    gathering->left = tasks->size() + 1;  // one for this loop: tasks may end before start() returns
    for (Task<void>& task : *tasks) task.start();
    return --gathering->left != 0;
  }
  static void await_resume() noexcept {}
};

}  // namespace detail

inline Task<void> gather(std::vector<Task<void>> tasks) {
  detail::Gathering gathering;
  std::vector<Task<void>> attended;
  attended.reserve(tasks.size());
  for (Task<void>& task : tasks) attended.push_back(detail::attend(&gathering, std::move(task)));
  detail::StartAll start{&gathering, &attended};
  co_await start;
  if (gathering.error) std::rethrow_exception(gathering.error);
}

}  // namespace audiostore
