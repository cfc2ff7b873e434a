// Threads for callers that bring none: they last as long as one call of run.

#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "lstm.h"

namespace sentilab {

// A thread costs some 20 microseconds to start, a call takes milliseconds; threads that outlive no
// call need no care when the process forks or ends.
class OwnThreads final : public Workers {
 public:
  explicit OwnThreads(int threads) : threads_(threads) {}

  // Rethrows the first exception of a task, such as std::bad_alloc, when all have ended.
  void run(int64_t tasks, Task task, void* context) override {
    std::atomic<int64_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    auto work = [&] {
      for (int64_t n = next++; n < tasks; n = next++) {
        try {
          task(context, n);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(mutex);
          if (!error) error = std::current_exception();
        }
      }
    };
    std::vector<std::thread> others;
    const int64_t helpers = (threads_ < tasks ? threads_ : tasks) - 1;
    if (helpers > 0) others.reserve(static_cast<size_t>(helpers));
    try {
      for (int64_t t = 0; t < helpers; ++t) others.emplace_back(work);
    } catch (const std::system_error&) {
      // The system has no thread left to give: those that there are do all of it.
    }
    work();
    for (std::thread& one : others) one.join();
    if (error) std::rethrow_exception(error);
  }

 private:
  const int64_t threads_;
};

}  // namespace sentilab
