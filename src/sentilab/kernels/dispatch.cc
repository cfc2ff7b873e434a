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
#ifdef SENTILAB_AVX512BF16
namespace avx512bf16 {
extern const Lstm implementation;
}
#endif
namespace portable {
extern const Lstm implementation;
}

namespace {

#ifdef SENTILAB_AVX512BF16

// The two have residuals in common.
const Lstm& factors_of(const Inputs& in) {
  return in.bf16 ? avx512bf16::implementation : avx512::implementation;
}
void either_forward(const Inputs& in, const Outputs& out, Residuals* residuals, Workers& workers) {
  factors_of(in).forward(in, out, residuals, workers);
}
void either_backward(const Inputs& in, const Residuals& residuals, const OutputGradients& out,
                     const InputGradients& gradients, Workers& workers) {
  factors_of(in).backward(in, residuals, out, gradients, workers);
}

const Lstm* avx512_with_bf16() {
  static const Lstm both = {avx512::implementation.name, avx512::implementation.width, true,
                            either_forward, either_backward,
                            avx512::implementation.projected_size,
                            avx512::implementation.project};
  return &both;
}

#endif

const Lstm* supported(const char* name) {
  const bool any = name[0] == '\0';
#ifdef SENTILAB_X86
  // Also asks whether the operating system saves these registers.
  __builtin_cpu_init();
  if ((any || !std::strcmp(name, "avx512")) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
#ifdef SENTILAB_AVX512BF16
    if (__builtin_cpu_supports("avx512bf16")) return avx512_with_bf16();
#endif
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
