#include "outer.h"

#include <algorithm>

namespace sentilab {
namespace {

constexpr int64_t kInputs = 64;  // a task's rows of the result
constexpr int64_t kTexts = 64;   // taken at a time
constexpr int kRows = 4;         // of a register tile

// A register of W floats, and how many of them a tile is wide: its sums, a row of dy and one factor
// must fit into the 32 registers of AVX-512 or the 16 of the others.
template <int W>
struct Register {
  typedef float vec __attribute__((vector_size(W * 4)));
  static constexpr int kWide = W == 16 ? 4 : 2;
};

struct Outer {
  const float *x, *dy;
  int64_t batch, inputs, units;
  float* result;
};

// `texts` rows of x and dy, from `first` on; x's columns `k` and on lie at `columns`, a row of
// kInputs for each text. The result is begun with the batch's first text and added to thereafter.
struct Stretch {
  const float* columns;
  int64_t k, inputs, first, texts;
};

template <int W, int R, int NV>
inline __attribute__((always_inline)) void tile(const Outer& of, const Stretch& one, int64_t k,
                                                int64_t n) {
  typedef typename Register<W>::vec vec;
  vec sums[R][NV] = {};
  float* result = of.result + (one.k + k) * of.units + n;
  if (one.first > 0) {
    for (int r = 0; r < R; ++r) __builtin_memcpy(sums[r], result + r * of.units, sizeof sums[r]);
  }
  for (int64_t b = 0; b < one.texts; ++b) {
    const float* row = of.dy + (one.first + b) * of.units + n;
    for (int v = 0; v < NV; ++v) {
      vec columns;
      __builtin_memcpy(&columns, row + v * W, sizeof columns);
      for (int r = 0; r < R; ++r) sums[r][v] += one.columns[b * kInputs + k + r] * columns;
    }
  }
  for (int r = 0; r < R; ++r) __builtin_memcpy(result + r * of.units, sums[r], sizeof sums[r]);
}

template <int W, int NV>
inline __attribute__((always_inline)) void rows(const Outer& of, const Stretch& one, int64_t n) {
  int64_t k = 0;
  for (; k + kRows <= one.inputs; k += kRows) tile<W, kRows, NV>(of, one, k, n);
  for (; k < one.inputs; ++k) tile<W, 1, NV>(of, one, k, n);
}

template <int W>
inline __attribute__((always_inline)) void part(const Outer& of, int64_t k) {
  const int64_t inputs = std::min(kInputs, of.inputs - k);
  // x's own rows may lie a multiple of 4096 bytes apart, where they drive each other from the cache.
  alignas(64) float columns[kTexts * kInputs];
  for (int64_t first = 0; first < of.batch; first += kTexts) {
    const Stretch one{columns, k, inputs, first, std::min(kTexts, of.batch - first)};
    for (int64_t b = 0; b < one.texts; ++b) {
      const float* row = of.x + (first + b) * of.inputs + k;
      std::copy(row, row + inputs, columns + b * kInputs);
    }
    int64_t n = 0;
    constexpr int kWide = Register<W>::kWide;
    for (; n + kWide * W <= of.units; n += kWide * W) rows<W, kWide>(of, one, n);
    for (; n + W <= of.units; n += W) rows<W, 1>(of, one, n);
    for (; n < of.units; ++n) {
      for (int64_t i = 0; i < inputs; ++i) {
        float& sum = of.result[(k + i) * of.units + n];
        if (first == 0) sum = 0;
        for (int64_t b = 0; b < one.texts; ++b) {
          sum += columns[b * kInputs + i] * of.dy[(first + b) * of.units + n];
        }
      }
    }
  }
}

#ifdef SENTILAB_X86
__attribute__((target("avx512f"))) void part_avx512(const Outer& of, int64_t k) {
  part<16>(of, k);
}
__attribute__((target("avx2,fma"))) void part_avx2(const Outer& of, int64_t k) {
  part<8>(of, k);
}
#endif
void part_portable(const Outer& of, int64_t k) { part<4>(of, k); }

void task(void* context, int64_t number) {
  const Outer& of = *static_cast<const Outer*>(context);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return part_avx512(of, number * kInputs);
  if (lstm().width == 8) return part_avx2(of, number * kInputs);
#endif
  part_portable(of, number * kInputs);
}

}  // namespace

void outer(const float* x, const float* dy, int64_t batch, int64_t inputs, int64_t units,
           float* result, Workers& workers) {
  Outer of{x, dy, batch, inputs, units, result};
  workers.run((inputs + kInputs - 1) / kInputs, task, &of);
}

}  // namespace sentilab
