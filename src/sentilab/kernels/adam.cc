#include "adam.h"

#include <algorithm>
#include <cmath>

namespace sentilab {
namespace {

constexpr int64_t kStretch = 1 << 15;  // floats a task

// The compiler makes vector instructions of this for each instruction set.
inline __attribute__((always_inline)) void stretch(const AdamStep& step, int64_t first,
                                                   int64_t last) {
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
  for (int64_t i = first; i < last; ++i) {
    const float g = step.gradients[i];
    const float m = step.momentums[i] + (g - step.momentums[i]) * step.one_less_beta_1;
    const float v = step.velocities[i] + (g * g - step.velocities[i]) * step.one_less_beta_2;
    step.new_momentums[i] = m;
    step.new_velocities[i] = v;
    step.new_parameters[i] =
        step.parameters[i] - m * step.alpha / (std::sqrt(v) + step.epsilon);
  }
}

#ifdef SENTILAB_X86
__attribute__((target("avx512f"))) void stretch_avx512(const AdamStep& step, int64_t first,
                                                       int64_t last) {
  stretch(step, first, last);
}
__attribute__((target("avx2,fma"))) void stretch_avx2(const AdamStep& step, int64_t first,
                                                      int64_t last) {
  stretch(step, first, last);
}
#endif
void stretch_portable(const AdamStep& step, int64_t first, int64_t last) {
  stretch(step, first, last);
}

void task(void* context, int64_t number) {
  const AdamStep& step = *static_cast<const AdamStep*>(context);
  const int64_t first = number * kStretch, last = std::min(first + kStretch, step.count);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return stretch_avx512(step, first, last);
  if (lstm().width == 8) return stretch_avx2(step, first, last);
#endif
  stretch_portable(step, first, last);
}

}  // namespace

void adam(const AdamStep& step, Workers& workers) {
  AdamStep copy = step;
  workers.run((step.count + kStretch - 1) / kStretch, task, &copy);
}

}  // namespace sentilab
