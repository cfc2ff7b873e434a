#include "outer.h"

#include <algorithm>

namespace sentilab {
namespace {

constexpr int64_t kInputs = 256;  // a task's rows of the result
constexpr int kRows = 4;          // of a register tile, which is up to four vectors wide
constexpr int kWidth = 16;

// Where registers are narrower the compiler makes several of one.
typedef float vec __attribute__((vector_size(kWidth * 4)));

struct Outer {
  const float *x, *dy;
  int64_t batch, inputs, units;
  float* result;
};

template <int R, int NV>
inline __attribute__((always_inline)) void tile(const Outer& of, int64_t k, int64_t n) {
  vec sums[R][NV] = {};
  for (int64_t b = 0; b < of.batch; ++b) {
    const float* row = of.dy + b * of.units + n;
    for (int v = 0; v < NV; ++v) {
      vec columns;
      __builtin_memcpy(&columns, row + v * kWidth, sizeof columns);
      for (int r = 0; r < R; ++r) sums[r][v] += of.x[b * of.inputs + k + r] * columns;
    }
  }
  for (int r = 0; r < R; ++r) {
    __builtin_memcpy(of.result + (k + r) * of.units + n, sums[r], sizeof sums[r]);
  }
}

template <int NV>
inline __attribute__((always_inline)) void rows(const Outer& of, int64_t first, int64_t last,
                                                int64_t n) {
  int64_t k = first;
  for (; k + kRows <= last; k += kRows) tile<kRows, NV>(of, k, n);
  for (; k < last; ++k) tile<1, NV>(of, k, n);
}

inline __attribute__((always_inline)) void part(const Outer& of, int64_t first, int64_t last) {
  int64_t n = 0;
  for (; n + 4 * kWidth <= of.units; n += 4 * kWidth) rows<4>(of, first, last, n);
  for (; n + kWidth <= of.units; n += kWidth) rows<1>(of, first, last, n);
  for (; n < of.units; ++n) {
    for (int64_t k = first; k < last; ++k) {
      float sum = 0;
      for (int64_t b = 0; b < of.batch; ++b) sum += of.x[b * of.inputs + k] * of.dy[b * of.units + n];
      of.result[k * of.units + n] = sum;
    }
  }
}

#ifdef SENTILAB_X86
__attribute__((target("avx512f"))) void part_avx512(const Outer& of, int64_t first, int64_t last) {
  part(of, first, last);
}
__attribute__((target("avx2,fma"))) void part_avx2(const Outer& of, int64_t first, int64_t last) {
  part(of, first, last);
}
#endif
void part_portable(const Outer& of, int64_t first, int64_t last) { part(of, first, last); }

void task(void* context, int64_t number) {
  const Outer& of = *static_cast<const Outer*>(context);
  const int64_t first = number * kInputs, last = std::min(first + kInputs, of.inputs);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return part_avx512(of, first, last);
  if (lstm().width == 8) return part_avx2(of, first, last);
#endif
  part_portable(of, first, last);
}

}  // namespace

void outer(const float* x, const float* dy, int64_t batch, int64_t inputs, int64_t units,
           float* result, Workers& workers) {
  Outer of{x, dy, batch, inputs, units, result};
  workers.run((inputs + kInputs - 1) / kInputs, task, &of);
}

}  // namespace sentilab
