// The processor's fused multiply-add peak: every thread runs independent chains of the widest
// vectors that the compiler was told of, from registers alone.

#include <chrono>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

typedef float Vector __attribute__((vector_size(kBytes)));

// Enough chains to cover a latency of 5 cycles at two instructions a cycle; with the two factors
// they still fit 16 registers.
constexpr int kChains = 12;
constexpr long kRounds = 100000;

static double now() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

static void chains(double seconds, double* rate, float* sink) {
  Vector sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = Vector{} + static_cast<float>(i);
  const Vector a = Vector{} + 0.999f, b = Vector{} + 0.001f;
  double started = now(), elapsed = 0;
  long rounds = 0;
  while (elapsed < seconds) {
    for (long round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * a + b;
    }
    rounds += kRounds;
    elapsed = now() - started;
  }
  Vector total = Vector{};
  for (int i = 0; i < kChains; ++i) total += sum[i];
  *sink = total[0];
  *rate = 2.0 * kChains * (kBytes / sizeof(float)) * rounds / elapsed;
}

// FLOP/s of `threads` threads together, measured over `seconds`.
extern "C" double fma_peak(int threads, double seconds) {
  std::vector<double> rates(threads);
  std::vector<float> sinks(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back(chains, seconds, &rates[i], &sinks[i]);
  double total = 0;
  for (int i = 0; i < threads; ++i) {
    running[i].join();
    total += rates[i];
  }
  return total;
}
