// Which instruction set runs.

#include <atomic>
#include <cstring>

#include "lstm.h"

namespace sentilab {

#ifdef SENTILAB_X86
namespace avx512 {
extern const Lstm implementation;
}
namespace avx2 {
extern const Lstm implementation;
}
#endif
namespace portable {
extern const Lstm implementation;
}

namespace {

const Lstm* supported(const char* name) {
  const bool any = name[0] == '\0';
#ifdef SENTILAB_X86
  // Also asks whether the operating system saves these registers.
  __builtin_cpu_init();
  if ((any || !std::strcmp(name, "avx512")) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return &avx512::implementation;
  }
  if ((any || !std::strcmp(name, "avx2")) && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &avx2::implementation;
  }
#endif
  if (any || !std::strcmp(name, portable::implementation.name)) return &portable::implementation;
  return nullptr;
}

std::atomic<const Lstm*> chosen{nullptr};

}  // namespace

const Lstm& lstm() {
  const Lstm* one = chosen.load(std::memory_order_acquire);
  if (one == nullptr) {
    one = supported("");
    chosen.store(one, std::memory_order_release);
  }
  return *one;
}

bool choose_lstm(const char* name) {
  const Lstm* one = supported(name);
  if (one == nullptr) return false;
  chosen.store(one, std::memory_order_release);
  return true;
}

}  // namespace sentilab
