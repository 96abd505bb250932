#include "lastbit/train/task_thread.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lastbit {
namespace {

TEST(TaskThread, CarriesOutTasksInTheirOrderOnAnotherThread) {
  TaskThread thread;
  thread.wait();  // for none
  std::vector<int> done;
  std::vector<std::thread::id> where;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1000; ++i) {
      thread.start([&, i] {
        done.push_back(i);
        where.push_back(std::this_thread::get_id());
      });
    }
    thread.wait();
    ASSERT_EQ(done.size(), 1000U);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
      EXPECT_EQ(where[static_cast<std::size_t>(i)], where[0]);
      EXPECT_NE(where[static_cast<std::size_t>(i)], std::this_thread::get_id());
    }
    done.clear();
    where.clear();
  }
}

TEST(TaskThread, DropsWhatStandsBehindAFailureAndTellsIt) {
  TaskThread thread;
  std::atomic<bool> go = false;
  int done = 0;
  thread.start([&] { go.wait(false); });
  thread.start([] { throw std::runtime_error("first"); });
  thread.start([&] { ++done; });
  thread.start([] { throw std::runtime_error("second"); });
  go = true;
  go.notify_all();
  std::string message;
  try {
    thread.wait();
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  EXPECT_EQ(message, "first");
  EXPECT_EQ(done, 0);
  thread.start([&] { ++done; });
  thread.wait();
  EXPECT_EQ(done, 1);
}

TEST(TaskThread, EndsWithoutTheTasksThatAreNotAtWork) {
  std::atomic<bool> at_work = false;
  std::atomic<bool> go = false;
  int done = 0;
  std::thread opener([&] {
    at_work.wait(false);
    std::this_thread::yield();
    go = true;
    go.notify_all();
  });
  {
    TaskThread thread;
    thread.start([&] {
      at_work = true;
      at_work.notify_all();
      go.wait(false);
      ++done;
    });
    at_work.wait(false);
  }
  opener.join();
  EXPECT_EQ(done, 1);  // the task at work was waited for
}

}  // namespace
}  // namespace lastbit
