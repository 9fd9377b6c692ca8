#include "base/offload.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <atomic>
#include <csignal>
#include <future>
#include <stdexcept>

namespace audiostore {
namespace {

using namespace std::chrono_literals;

void resume_one(Offload& offload) {
  pollfd waiting{.fd = offload.fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&waiting, 1, 60'000), 1);
  offload.resume_done();
}

TEST(Offload, CompletesInsideResumeDoneAndOnlyThere) {
  Offload offload(2);
  std::promise<void> worked;
  Task<void> task = offload.run([&] { worked.set_value(); });
  task.start();
  worked.get_future().wait();
  EXPECT_FALSE(task.done());
  EXPECT_EQ(offload.in_flight(), 1U);
  resume_one(offload);
  EXPECT_TRUE(task.done());
  EXPECT_EQ(offload.in_flight(), 0U);
}

TEST(Offload, RunsSeveralAtATimeUpToItsThreads) {
  Offload offload(2);
  std::promise<void> both;
  std::shared_future<void> const arrived = both.get_future().share();
  std::atomic<int> there{0};
  const auto work = [&] {
    if (++there == 2) both.set_value();
    arrived.wait();  // hangs unless the two run beside each other
  };
  Task<void> first = offload.run(work);
  Task<void> second = offload.run(work);
  first.start();
  second.start();
  while (offload.in_flight() > 0) resume_one(offload);
  EXPECT_TRUE(first.done() && second.done());
}

TEST(Offload, WhatTheWorkThrowsComesOutOfTheTask) {
  Offload offload(1);
  Task<void> task = offload.run([] { throw std::runtime_error("no"); });
  task.start();
  resume_one(offload);
  EXPECT_THROW(task.take(), std::runtime_error);
}

TEST(Offload, DestroyingATaskWaitsForItsWork) {
  Offload offload(1);
  std::promise<void> started;
  std::atomic<bool> ended{false};
  {
    Task<void> task = offload.run([&] {
      started.set_value();
      std::this_thread::sleep_for(20ms);
      ended = true;
    });
    task.start();
    started.get_future().wait();
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(offload.in_flight(), 0U);
}

TEST(Offload, QueuedWorkOfADestroyedTaskDoesNotRun) {
  Offload offload(1);
  std::promise<void> go;
  std::shared_future<void> const gate = go.get_future().share();
  Task<void> first = offload.run([&] { gate.wait(); });
  first.start();
  bool ran = false;
  {
    Task<void> second = offload.run([&] { ran = true; });
    second.start();
  }
  go.set_value();
  resume_one(offload);
  EXPECT_FALSE(ran);
}

TEST(Offload, ThreadsTakeNoSignals) {
  Offload offload(1);
  sigset_t blocked;
  Task<void> task = offload.run([&] { pthread_sigmask(SIG_BLOCK, nullptr, &blocked); });
  task.start();
  resume_one(offload);
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
  EXPECT_EQ(sigismember(&blocked, SIGURG), 1);
}

}  // namespace
}  // namespace audiostore
