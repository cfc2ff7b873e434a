#include "dense.h"

#include <algorithm>
#include <utility>

#include "memory.h"

namespace sentilab {
namespace {

constexpr int kRows = 4;          // of a register tile
constexpr int64_t kPart = 1024;   // inputs that a task of the forward product sums over
constexpr int64_t kBlock = 64;    // inputs for which a task of a gradient computes results
constexpr int64_t kDepth = 128;   // summands taken at a time, so that their rows stay in the cache
constexpr int64_t kTexts = 64;    // the same for the weights' gradient

// A register of W floats, and how many of them a tile is wide: its sums, a row of the right factor
// and one number of the left must fit into the 32 registers of AVX-512 or the 16 of the others.
template <int W>
struct Register {
  typedef float vec __attribute__((vector_size(W * 4)));
  static constexpr int kWide = W == 16 ? 4 : 2;
};

// result [rows, columns] = left [rows, depth] right [depth, columns], or the same added to it.
struct Product {
  const float* left;
  int64_t left_row, left_step;  // from one row to the next, from one summand to the next
  const float* right;
  int64_t right_row;
  float* result;
  int64_t result_row;
  int64_t rows, depth, columns;
  bool add;
};

template <int W, int R, int NV>
inline __attribute__((always_inline)) void tile(const Product& of, int64_t r0, int64_t n) {
  typedef typename Register<W>::vec vec;
  vec sums[R][NV] = {};
  const float* left = of.left + r0 * of.left_row;
  float* result = of.result + r0 * of.result_row + n;
  if (of.add) {
    for (int r = 0; r < R; ++r) __builtin_memcpy(sums[r], result + r * of.result_row, sizeof sums[r]);
  }
  for (int64_t i = 0; i < of.depth; ++i) {
    const float* row = of.right + i * of.right_row + n;
    for (int v = 0; v < NV; ++v) {
      vec columns;
      __builtin_memcpy(&columns, row + v * W, sizeof columns);
      for (int r = 0; r < R; ++r) sums[r][v] += left[r * of.left_row + i * of.left_step] * columns;
    }
  }
  for (int r = 0; r < R; ++r) __builtin_memcpy(result + r * of.result_row, sums[r], sizeof sums[r]);
}

template <int W, int NV>
inline __attribute__((always_inline)) void strip(const Product& of, int64_t n) {
  int64_t r = 0;
  for (; r + kRows <= of.rows; r += kRows) tile<W, kRows, NV>(of, r, n);
  for (; r < of.rows; ++r) tile<W, 1, NV>(of, r, n);
}

template <int W>
inline __attribute__((always_inline)) void multiply(const Product& of) {
  int64_t n = 0;
  constexpr int kWide = Register<W>::kWide;
  for (; n + kWide * W <= of.columns; n += kWide * W) strip<W, kWide>(of, n);
  for (; n + W <= of.columns; n += W) strip<W, 1>(of, n);
  for (; n < of.columns; ++n) {
    for (int64_t r = 0; r < of.rows; ++r) {
      float& result = of.result[r * of.result_row + n];
      float sum = of.add ? result : 0.0f;
      for (int64_t i = 0; i < of.depth; ++i) {
        sum += of.left[r * of.left_row + i * of.left_step] * of.right[i * of.right_row + n];
      }
      result = sum;
    }
  }
}

// Exchanges, in a square of W registers, the blocks of H off the diagonal of each block of 2 H.
template <int W, int H, int... J>
inline __attribute__((always_inline)) void exchange(typename Register<W>::vec (&square)[W],
                                                    std::integer_sequence<int, J...>) {
  for (int i = 0; i < W; ++i) {
    if (i & H) continue;
    const typename Register<W>::vec upper = square[i], lower = square[i + H];
#ifdef __clang__
    square[i] = __builtin_shufflevector(upper, lower, (J & H ? W + J - H : J)...);
    square[i + H] = __builtin_shufflevector(upper, lower, (J & H ? W + J : J + H)...);
#else
    typedef int indices __attribute__((vector_size(W * 4)));
    square[i] = __builtin_shuffle(upper, lower, indices{(J & H ? W + J - H : J)...});
    square[i + H] = __builtin_shuffle(upper, lower, indices{(J & H ? W + J : J + H)...});
#endif
  }
}

template <int W, int H = W / 2>
inline __attribute__((always_inline)) void transpose(typename Register<W>::vec (&square)[W]) {
  exchange<W, H>(square, std::make_integer_sequence<int, W>());
  if constexpr (H > 1) transpose<W, H / 2>(square);
}

// to [columns, kBlock] = from [rows, columns] transposed.
template <int W>
inline __attribute__((always_inline)) void transpose(const float* from, int64_t from_row,
                                                     int64_t rows, int64_t columns, float* to) {
  typedef typename Register<W>::vec vec;
  const int64_t whole_rows = rows / W * W, whole_columns = columns / W * W;
  for (int64_t r = 0; r < whole_rows; r += W) {
    for (int64_t n = 0; n < whole_columns; n += W) {
      vec square[W];
      for (int i = 0; i < W; ++i) {
        __builtin_memcpy(&square[i], from + (r + i) * from_row + n, sizeof square[i]);
      }
      transpose<W>(square);
      for (int i = 0; i < W; ++i) {
        __builtin_memcpy(to + (n + i) * kBlock + r, &square[i], sizeof square[i]);
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t n = r < whole_rows ? whole_columns : 0; n < columns; ++n) {
      to[n * kBlock + r] = from[r * from_row + n];
    }
  }
}

struct Dense : DenseSizes {
  const float *left, *right;
  float* result;
};

// The sums over one part of the inputs, of all texts and units.
template <int W>
inline __attribute__((always_inline)) void forward_part(const Dense& of, int64_t number) {
  const int64_t begin = number * kPart, end = std::min(begin + kPart, of.inputs);
  float* result = of.result + number * of.batch * of.units;
  for (int64_t k = begin; k < end; k += kDepth) {
    multiply<W>({of.left + k, of.inputs, 1, of.right + k * of.units, of.units, result, of.units,
                 of.batch, std::min(kDepth, end - k), of.units, k > begin});
  }
}

template <int W>
inline __attribute__((always_inline)) void input_block(const Dense& of, int64_t number) {
  const int64_t k = number * kBlock, inputs = std::min(kBlock, of.inputs - k);
  alignas(64) float transposed[kDepth * kBlock];
  for (int64_t n = 0; n < of.units; n += kDepth) {
    const int64_t units = std::min(kDepth, of.units - n);
    transpose<W>(of.right + k * of.units + n, of.units, inputs, units, transposed);
    multiply<W>({of.left + n, of.units, 1, transposed, kBlock, of.result + k, of.inputs, of.batch,
                 units, inputs, n > 0});
  }
}

template <int W>
inline __attribute__((always_inline)) void weights_block(const Dense& of, int64_t number) {
  const int64_t k = number * kBlock, inputs = std::min(kBlock, of.inputs - k);
  // x's own rows may lie a multiple of 4096 bytes apart, where they drive each other from the cache.
  alignas(64) float columns[kTexts * kBlock];
  for (int64_t first = 0; first < of.batch; first += kTexts) {
    const int64_t texts = std::min(kTexts, of.batch - first);
    for (int64_t b = 0; b < texts; ++b) {
      const float* row = of.left + (first + b) * of.inputs + k;
      std::copy(row, row + inputs, columns + b * kBlock);
    }
    multiply<W>({columns, 1, kBlock, of.right + first * of.units, of.units,
                 of.result + k * of.units, of.units, inputs, texts, of.units, first > 0});
  }
}

#ifdef SENTILAB_X86
#define SENTILAB_AVX512 __attribute__((target("avx512f")))
#define SENTILAB_AVX2 __attribute__((target("avx2,fma")))
SENTILAB_AVX512 void forward_avx512(const Dense& of, int64_t n) { forward_part<16>(of, n); }
SENTILAB_AVX512 void input_avx512(const Dense& of, int64_t n) { input_block<16>(of, n); }
SENTILAB_AVX512 void weights_avx512(const Dense& of, int64_t n) { weights_block<16>(of, n); }
SENTILAB_AVX2 void forward_avx2(const Dense& of, int64_t n) { forward_part<8>(of, n); }
SENTILAB_AVX2 void input_avx2(const Dense& of, int64_t n) { input_block<8>(of, n); }
SENTILAB_AVX2 void weights_avx2(const Dense& of, int64_t n) { weights_block<8>(of, n); }
#endif
void forward_portable(const Dense& of, int64_t n) { forward_part<4>(of, n); }
void input_portable(const Dense& of, int64_t n) { input_block<4>(of, n); }
void weights_portable(const Dense& of, int64_t n) { weights_block<4>(of, n); }

struct Paths {
  void (*forward)(const Dense&, int64_t);
  void (*input)(const Dense&, int64_t);
  void (*weights)(const Dense&, int64_t);
};

Paths paths() {
#ifdef SENTILAB_X86
  if (lstm().width == 16) return {forward_avx512, input_avx512, weights_avx512};
  if (lstm().width == 8) return {forward_avx2, input_avx2, weights_avx2};
#endif
  return {forward_portable, input_portable, weights_portable};
}

struct Run {
  const Dense* of;
  void (*path)(const Dense&, int64_t);
};

void run(const Dense& of, void (*path)(const Dense&, int64_t), int64_t per_task, Workers& workers) {
  Run one{&of, path};
  workers.run(
      (of.inputs + per_task - 1) / per_task,
      [](void* context, int64_t number) {
        const Run& all = *static_cast<const Run*>(context);
        all.path(*all.of, number);
      },
      &one);
}

}  // namespace

void dense(const float* x, const float* w, const DenseSizes& sizes, float* y, Workers& workers) {
  const int64_t parts = (sizes.inputs + kPart - 1) / kPart, results = sizes.batch * sizes.units;
  const Floats sums(static_cast<size_t>(parts * results));
  run({sizes, x, w, sums.data()}, paths().forward, kPart, workers);
  std::fill(y, y + results, 0.0f);
  for (int64_t part = 0; part < parts; ++part) {
    const float* from = sums.data() + part * results;
    for (int64_t i = 0; i < results; ++i) y[i] += from[i];
  }
}

void dense_by_input(const float* dy, const float* w, const DenseSizes& sizes, float* dx,
                    Workers& workers) {
  run({sizes, dy, w, dx}, paths().input, kBlock, workers);
}

void dense_by_weights(const float* x, const float* dy, const DenseSizes& sizes, float* dw,
                      Workers& workers) {
  run({sizes, x, dy, dw}, paths().weights, kBlock, workers);
}

}  // namespace sentilab
