#include "base/gather.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace audiostore {
namespace {

// Something to wait for that the test fires.
struct Event {
  std::coroutine_handle<> waiter;
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> task) noexcept { waiter = task; }
  static void await_resume() noexcept {}
};

struct Destroyed {
  int* count;
  explicit Destroyed(int* counter) : count(counter) {}
  Destroyed(const Destroyed&) = delete;
  ~Destroyed() { ++*count; }
};

Task<void> wait_for(Event* event, int* destroyed) {
  const Destroyed guard(destroyed);
  co_await *event;
}
Task<void> at_once() { co_return; }
Task<void> fails() {
  throw std::runtime_error("first");
  co_return;
}

std::vector<Task<void>> list(Task<void> a, Task<void> b) {
  std::vector<Task<void>> tasks;
  tasks.push_back(std::move(a));
  tasks.push_back(std::move(b));
  return tasks;
}

TEST(Gather, NothingIsDoneAtOnce) {
  Task<void> all = gather({});
  all.start();
  EXPECT_TRUE(all.done());
}

TEST(Gather, TasksThatEndAtOnce) {
  Task<void> all = gather(list(at_once(), at_once()));
  all.start();
  ASSERT_TRUE(all.done());
  all.take();
}

TEST(Gather, WaitsForTheLast) {
  Event first;
  Event second;
  int destroyed = 0;
  Task<void> all = gather(list(wait_for(&first, &destroyed), wait_for(&second, &destroyed)));
  all.start();
  second.waiter.resume();
  EXPECT_FALSE(all.done());
  first.waiter.resume();
  EXPECT_TRUE(all.done());
  EXPECT_EQ(destroyed, 2);
}

TEST(Gather, AnErrorIsToldWhenAllHaveEnded) {
  Event event;
  int destroyed = 0;
  Task<void> all = gather(list(fails(), wait_for(&event, &destroyed)));
  all.start();
  EXPECT_FALSE(all.done());
  event.waiter.resume();
  ASSERT_TRUE(all.done());
  EXPECT_THROW(all.take(), std::runtime_error);
}

TEST(Gather, DestroyedInTheMiddleItTakesItsTasksAlong) {
  Event event;
  int destroyed = 0;
  {
    Task<void> all = gather(list(wait_for(&event, &destroyed), at_once()));
    all.start();
  }
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace audiostore
