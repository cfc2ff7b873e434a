// Adam and the dense layer's gradient against plain float64 loops, on every instruction set of this
// processor, on one thread and on three; and what the memory pool finds again.

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "adam.h"
#include "memory.h"
#include "outer.h"

namespace {

using Floats = std::vector<float>;

class Threads final : public sentilab::Workers {
 public:
  explicit Threads(int threads) : threads_(threads) {}
  void run(int64_t tasks, Task task, void* context) override {
    std::atomic<int64_t> next{0};
    auto work = [&] {
      for (int64_t n = next++; n < tasks; n = next++) task(context, n);
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads_; ++t) others.emplace_back(work);
    work();
    for (std::thread& one : others) one.join();
  }

 private:
  const int threads_;
};

Floats drawn(int64_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  Floats all(static_cast<size_t>(count));
  for (float& one : all) one = static_cast<float>(engine()) * 0x1p-31f - 1.0f;
  return all;
}

// Whether |found - exact| stays below `allowed`; NaN does not.
bool near(const Floats& found, const std::vector<double>& exact, double allowed) {
  for (size_t i = 0; i < found.size(); ++i) {
    if (!(fabs(found[i] - exact[i]) <= allowed)) return false;
  }
  return true;
}

bool adam_is_right(int64_t count, sentilab::Workers& workers, bool in_place) {
  Floats p = drawn(count, 1), m = drawn(count, 2), v = drawn(count, 3), g = drawn(count, 4);
  for (float& one : v) one = fabsf(one);
  std::vector<double> wanted[3];
  for (std::vector<double>& one : wanted) one.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < p.size(); ++i) {
    const double gradient = g[i];
    wanted[1][i] = m[i] + (gradient - m[i]) * 0.1f;
    wanted[2][i] = v[i] + (gradient * gradient - v[i]) * 0.001f;
    wanted[0][i] = p[i] - wanted[1][i] * 0.01f / (sqrt(wanted[2][i]) + 1e-7f);
  }
  Floats new_p(p.size()), new_m(p.size()), new_v(p.size());
  Floats &to_p = in_place ? p : new_p, &to_m = in_place ? m : new_m, &to_v = in_place ? v : new_v;
  sentilab::adam({p.data(), m.data(), v.data(), g.data(), to_p.data(), to_m.data(), to_v.data(),
                  count, 0.01f, 0.1f, 0.001f, 1e-7f},
                 workers);
  // A few roundings of numbers below 2; where v is nearly 0 the quotient is as large as 0.01 / 1e-3.
  return near(to_p, wanted[0], 1e-5) && near(to_m, wanted[1], 5e-7) && near(to_v, wanted[2], 5e-7);
}

bool outer_is_right(int64_t batch, int64_t inputs, int64_t units, sentilab::Workers& workers) {
  const Floats x = drawn(batch * inputs, 1), dy = drawn(batch * units, 2);
  Floats found(static_cast<size_t>(inputs * units), NAN);
  std::vector<double> wanted(found.size());
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t k = 0; k < inputs; ++k) {
      for (int64_t n = 0; n < units; ++n) {
        wanted[static_cast<size_t>(k * units + n)] +=
            static_cast<double>(x[static_cast<size_t>(b * inputs + k)]) *
            dy[static_cast<size_t>(b * units + n)];
      }
    }
  }
  sentilab::outer(x.data(), dy.data(), batch, inputs, units, found.data(), workers);
  return near(found, wanted, 6e-8 * 2 * static_cast<double>(batch) + 1e-7);
}

// As many as a batch's distinct words make them, a little more or less each time.
bool sizes_that_differ_a_little_share_a_block() {
  void* first = sentilab::take_memory(1000000);
  sentilab::give_memory(first, 1000000);
  bool right = true;
  for (size_t bytes : {990000, 1010000, 985000, 1000001}) {
    void* again = sentilab::take_memory(bytes);
    right = right && again == first;
    sentilab::give_memory(again, bytes);
  }
  return right;
}

}  // namespace

int main() {
  int passed = 0, failed = 0;
  auto add = [&](const std::string& name, bool right) {
    printf("%s  %s\n", right ? "passed" : "FAILED", name.c_str());
    ++(right ? passed : failed);
  };
  for (const char* isa : {"avx512", "avx2", "neon", "portable"}) {
    if (!sentilab::choose_lstm(isa)) continue;
    for (int threads : {1, 3}) {
      Threads workers(threads);
      const std::string where = std::string(isa) + ", " + std::to_string(threads) + " threads: ";
      bool right = true;
      for (int64_t count : {1, 15, 16, 17, 1000, 70001}) {
        right = right && adam_is_right(count, workers, false) && adam_is_right(count, workers, true);
      }
      add(where + "Adam's step, in place and not", right);
      right = outer_is_right(1, 1, 1, workers) && outer_is_right(33, 301, 83, workers) &&
              outer_is_right(130, 65, 64, workers) && outer_is_right(64, 64, 16, workers);
      add(where + "a dense layer's weight gradient", right);
    }
  }
  add("memory: sizes that differ a little share a block",
      sizes_that_differ_a_little_share_a_block());
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
