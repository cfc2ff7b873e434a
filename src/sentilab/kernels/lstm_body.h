// The whole LSTM for one instruction set. Each isa_*.cc defines SENTILAB_WIDTH (floats in a vector),
// SENTILAB_ROWS (rows of a register tile) and SENTILAB_ISA (its name), and includes this once; it
// defines SENTILAB_BF16 too where products are of bfloat16 factors.
//
// Nothing here may call an inline function of the standard library: the linker would be free to
// keep this file's copy, compiled for instructions that another processor lacks.
//
// How it works
//  - Units come in blocks of one vector. The columns of a block's four gates lie side by side
//    ("gate-interleaved": i f g o), so that one register tile holds all gates of a block's units,
//    and the nonlinearities follow the product without a detour through memory.
//  - Work is cut into tasks of one direction and one slice of the batch. A slice depends on the
//    shapes alone, never on the number of threads, and sums are taken in a fixed order: the same
//    inputs give the same bits on any number of threads.
//  - Products are taken where their factors are in cache: the input projection, the input gradient
//    and the weight gradients over a chunk of a few steps of a slice.
//  - Given tokens, W is applied once to each distinct row of the table, and gradients are summed by
//    token before they meet W. This is the same sum in another order.
//  - With SENTILAB_BF16 the factors of products are bfloat16, in pairs along the depth: a pair lies
//    where a float lies without it, and the depth is half as many such "words". Sums, states, gates
//    and all else are float32 either way.

#include <sched.h>
#include <stdint.h>
#include <string.h>

#include "lstm.h"
#include "memory.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#if !defined(SENTILAB_WIDTH) || !defined(SENTILAB_ROWS) || !defined(SENTILAB_ISA)
#error "define SENTILAB_WIDTH, SENTILAB_ROWS and SENTILAB_ISA before including lstm_body.h"
#endif

namespace sentilab {
namespace SENTILAB_ISA {
namespace {

constexpr int kWidth = SENTILAB_WIDTH;
constexpr int kRows = SENTILAB_ROWS;  // of a register tile; a tile is four vectors wide
constexpr int kPanel = 4 * kWidth;
constexpr int64_t kDepth = 64;  // words: a panel of this depth stays in the first-level cache
#ifdef SENTILAB_BF16
constexpr int kFactors = 2;  // in a word
#else
constexpr int kFactors = 1;
#endif
constexpr int kPanelWords = kPanel / kFactors;  // of a panel's columns as a product's depth

typedef float vec __attribute__((vector_size(SENTILAB_WIDTH * 4)));
typedef int32_t ivec __attribute__((vector_size(SENTILAB_WIDTH * 4)));

inline vec load(const float* from) {
  vec v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
inline void store(float* to, vec v) { __builtin_memcpy(to, &v, sizeof v); }
inline vec splat(float s) { return s - vec{}; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t words(int64_t depth) { return ceil_div(depth, kFactors); }
inline int64_t whole_vectors(int64_t count) { return ceil_div(count, kWidth) * kWidth; }

// The first `lanes` floats, and zeros; only zeros where that is not above 0.
inline vec load_part(const float* from, int64_t lanes) {
  if (lanes >= kWidth) return load(from);
  vec v{};
  if (lanes > 0) memcpy(&v, from, static_cast<size_t>(lanes) * sizeof(float));
  return v;
}

// ---- sigmoid and tanh ------------------------------------------------------------------------

#if defined(__AVX512F__) && SENTILAB_WIDTH == 16

inline __m512 native(vec a) { return reinterpret_cast<__m512>(a); }

// min and max give their second operand where one is NaN: a diverged run shows.
inline vec clamp(vec a, float low, float high) {
  const __m512 below = _mm512_maskz_min_ps(0xffff, native(splat(high)), native(a));
  return reinterpret_cast<vec>(_mm512_maskz_max_ps(0xffff, native(splat(low)), below));
}
inline vec nearest(vec a) {
  return reinterpret_cast<vec>(
      _mm512_maskz_roundscale_ps(0xffff, native(a), _MM_FROUND_TO_NEAREST_INT));
}
inline vec times_power_of_two(vec a, vec n) {
  return reinterpret_cast<vec>(_mm512_maskz_scalef_ps(0xffff, native(a), native(n)));
}
// 14 bits, then one Newton step: within 1 ulp of the quotient, at a fifth of a division's time.
inline vec reciprocal(vec a) {
  const vec r = reinterpret_cast<vec>(_mm512_maskz_rcp14_ps(0xffff, native(a)));
  return r + r * (1.0f - a * r);
}

#else

inline vec clamp(vec a, float low, float high) {
  // Comparisons with NaN are false, so that NaN passes through: a diverged run shows.
  a = a > splat(high) ? splat(high) : a;
  return a < splat(low) ? splat(low) : a;
}
// For |a| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
inline vec nearest(vec a) { return (a + 12582912.0f) - 12582912.0f; }
// For whole n and results that are normal numbers.
inline vec times_power_of_two(vec a, vec n) {
  return reinterpret_cast<vec>(reinterpret_cast<ivec>(a) +
                               (__builtin_convertvector(n, ivec) << 23));
}
inline vec reciprocal(vec a) { return 1.0f / a; }

#endif

// For |a| <= 87: a = n ln 2 + r, ln 2 in two parts; e^a = 2^n e^r, and e^r = 1 + r + r^2 q(r) with a
// polynomial q that makes the relative error of e^r over |r| <= ln 2 / 2 at most 2^-28.
inline vec reduced(vec a, vec* n) {
  *n = nearest(a * 1.44269504088896341f);
  return (a - *n * 0.693359375f) + *n * 2.12194440e-4f;
}
inline vec exponential_less_one(vec r) {
  vec q = splat(1.38146e-3f);
  q = q * r + 8.36871e-3f;
  q = q * r + 4.166839e-2f;
  q = q * r + 1.6666521e-1f;
  q = q * r + 4.9999993e-1f;
  return q * (r * r) + r;
}

// 1 / (1 + e^-a)
inline vec sigmoid(vec a) {
  vec n;
  const vec r = reduced(clamp(-a, -87.0f, 87.0f), &n);
  return reciprocal(1.0f + times_power_of_two(1.0f + exponential_less_one(r), n));
}

// t / (t + 2) with t = e^2a - 1, which near zero is as exact as r is.
inline vec hyperbolic_tangent(vec a) {
  vec n;
  const vec r = reduced(clamp(a + a, -40.0f, 40.0f), &n);
  const vec scale = times_power_of_two(splat(1.0f), n);
  const vec t = scale * exponential_less_one(r) + (scale - 1.0f);
  return t * reciprocal(t + 2.0f);
}

// ---- factors ---------------------------------------------------------------------------------

// Where a product's depth runs along A's rows, a pair is of neighbours; where it runs along A's
// columns, as in the sums over texts and steps, a pair is of one column in two rows.

#ifdef SENTILAB_BF16

inline vec add_product(vec sum, vec a, vec b) {
  return reinterpret_cast<vec>(_mm512_dpbf16_ps(
      native(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
}
typedef vec Factor;
inline Factor factor(const float* word) {
  int32_t pair;
  __builtin_memcpy(&pair, word, sizeof pair);
  return reinterpret_cast<vec>(_mm512_set1_epi32(pair));
}

// first's neighbours, then second's. Rounds to the nearest, to even where two are as near.
inline vec along_row(vec first, vec second) {
  return reinterpret_cast<vec>(_mm512_cvtne2ps_pbh(native(second), native(first)));
}

struct Order {
  uint16_t of[32];
};
// Of 16-bit halves: one of the first row, one of the second, which lies so far behind it.
constexpr Order in_turn(int first, int apart) {
  Order order{};
  for (int i = 0; i < 32; ++i) {
    order.of[i] = static_cast<uint16_t>(first + i / 2 + i % 2 * apart);
  }
  return order;
}
constexpr Order kOneVector = in_turn(0, 16), kLow = in_turn(0, 32), kHigh = in_turn(16, 32);

inline __m512i halves(vec a) { return reinterpret_cast<__m512i>(a); }
inline __m512i order(const Order& from) {
  __m512i v;
  __builtin_memcpy(&v, from.of, sizeof v);
  return v;
}

inline vec along_columns(vec row, vec next) {
  return reinterpret_cast<vec>(_mm512_maskz_permutexvar_epi16(
      0xffffffff, order(kOneVector), halves(along_row(row, next))));
}

// A panel's columns of `rows` rows, which hold pairs of neighbours, as pairs of rows, in `to`.
inline const float* restacked(const float* from, int64_t rows, float* to) {
  const __m512i low = order(kLow), high = order(kHigh);
  for (int64_t r = 0; r < rows; r += 2) {
    for (int64_t v = 0; v < kPanelWords; v += kWidth) {
      const float* words_of_row = from + r * kPanelWords + v;
      const __m512i row = halves(load(words_of_row));
      const __m512i next = halves(r + 1 < rows ? load(words_of_row + kPanelWords) : vec{});
      float* out = to + r * kPanelWords + 2 * v;
      store(out, reinterpret_cast<vec>(_mm512_permutex2var_epi16(row, low, next)));
      store(out + kWidth, reinterpret_cast<vec>(_mm512_permutex2var_epi16(row, high, next)));
    }
  }
  return to;
}

inline void store_gates(float* to, const vec (&gates)[4]) {
  store(to, along_row(gates[0], gates[1]));
  store(to + kWidth, along_row(gates[2], gates[3]));
}
// Sums of what store_gates has stored: of the first of each pair and of the second, in turn.
inline void add_gates(vec (&sums)[4], const float* from) {
  for (int v = 0; v < 2; ++v) {
    const ivec pairs = reinterpret_cast<ivec>(load(from + v * kWidth));
    sums[2 * v] += reinterpret_cast<vec>(pairs << 16);
    sums[2 * v + 1] += reinterpret_cast<vec>(pairs & static_cast<int32_t>(0xffff0000));
  }
}
inline void store_sums(float* to, const vec (&sums)[4]) {
  store(to, along_columns(sums[0], sums[1]));
  store(to + kWidth, along_columns(sums[2], sums[3]));
}

#else

typedef float Factor;
inline Factor factor(const float* word) { return *word; }
inline vec add_product(vec sum, float a, vec b) { return sum + a * b; }
inline vec along_row(vec first, vec) { return first; }
inline vec along_columns(vec row, vec) { return row; }
inline const float* restacked(const float* from, int64_t, float*) { return from; }
inline void store_gates(float* to, const vec (&gates)[4]) {
  for (int v = 0; v < 4; ++v) store(to + v * kWidth, gates[v]);
}
inline void add_gates(vec (&sums)[4], const float* from) {
  for (int v = 0; v < 4; ++v) sums[v] += load(from + v * kWidth);
}
inline void store_sums(float* to, const vec (&sums)[4]) { store_gates(to, sums); }

#endif

// What a row of so many factors takes, in whole vectors.
inline int64_t row_words(int64_t factors) {
  return ceil_div(factors, kFactors * kWidth) * kWidth;
}

// The factors of one row.
inline void copy_row(const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kFactors * kWidth, to += kWidth) {
    const vec second = kFactors == 2 ? load_part(from + i + kWidth, count - i - kWidth) : vec{};
    store(to, along_row(load_part(from + i, count - i), second));
  }
}

// The factors of `columns` columns of so many rows; `row(k)` gives one. A word's, or a pair's, row
// in `to` has whole vectors.
template <class Row>
inline void copy_columns(int64_t rows, int64_t columns, Row row, float* to) {
  for (int64_t k = 0; k < rows; k += kFactors) {
    const float* one = row(k);
    const float* next = kFactors == 2 && k + 1 < rows ? row(k + 1) : nullptr;
    for (int64_t i = 0; i < columns; i += kWidth, to += kWidth) {
      const vec second = next != nullptr ? load_part(next + i, columns - i) : vec{};
      store(to, along_columns(load_part(one + i, columns - i), second));
    }
  }
}

// ---- products --------------------------------------------------------------------------------

// tile += A B over `depth` words: A's row r is `a[r]`, or, by column, A's element (r, k) is
// a[0][k * stride + r]; B's row k is b + k * kPanel. By gate, each of the tile's vectors has an A
// of its own, `gate_stride` after the one before.
template <int R, int NV, bool ByColumn, bool ByGate>
inline __attribute__((always_inline)) void multiply(vec (&tile)[R][NV], const float* const* a,
                                                    int64_t stride, int64_t gate_stride,
                                                    const float* b, int64_t depth) {
  for (int64_t k = 0; k < depth; ++k) {
    vec columns[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) columns[v] = load(b + k * kPanel + v * kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float* word = ByColumn ? a[0] + k * stride + r : a[r] + k;
      const Factor shared = factor(word);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        const Factor own = ByGate ? factor(word + v * gate_stride) : shared;
        tile[r][v] = add_product(tile[r][v], own, columns[v]);
      }
    }
  }
}

// How C's tile begins.
enum class Begin { kZero, kRow, kC };

template <int R, int NV, bool ByColumn, bool ByGate>
void tile_product(const float* const* a, int64_t stride, int64_t gate_stride, const float* b,
                  int64_t depth, float* const* c, Begin begin, const float* row) {
  vec tile[R][NV];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      tile[r][v] = begin == Begin::kZero ? vec{}
                   : begin == Begin::kRow ? load(row + v * kWidth)
                                          : load(c[r] + v * kWidth);
    }
  }
  multiply<R, NV, ByColumn, ByGate>(tile, a, stride, gate_stride, b, depth);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) store(c[r] + v * kWidth, tile[r][v]);
  }
}

template <int NV, bool ByColumn, bool ByGate>
inline void tile_rows(int rows, const float* const* a, int64_t stride, int64_t gate_stride,
                      const float* b, int64_t depth, float* const* c, Begin begin,
                      const float* row) {
  switch (rows) {
#define SENTILAB_TILE(R)                                                                       \
  case R:                                                                                      \
    return tile_product<R, NV, ByColumn, ByGate>(a, stride, gate_stride, b, depth, c, begin, row);
    SENTILAB_TILE(1)
    SENTILAB_TILE(2)
    SENTILAB_TILE(3)
#if SENTILAB_ROWS > 3
    SENTILAB_TILE(4)
    SENTILAB_TILE(5)
    SENTILAB_TILE(6)
#endif
#undef SENTILAB_TILE
  }
}

// The next register tile's rows when `left` are left: as even as can be, never more than kRows.
inline int next_rows(int64_t left) {
  return static_cast<int>(ceil_div(left, ceil_div(left, kRows)));
}

// C (rows, `vectors` vectors) = begin + A B. `a_row(r)` and `c_row(r)` give rows; by column,
// a_row(r) is the address of element (r, 0) and `stride` leads from one k to the next. With a
// `gate_stride`, A is another for each gate.
template <bool ByColumn, class ARow, class CRow>
inline void product(int64_t rows, int vectors, ARow a_row, int64_t stride, int64_t gate_stride,
                    const float* b, int64_t depth, CRow c_row, Begin begin,
                    const float* row = nullptr) {
  if (row == nullptr) row = b;  // not read
  for (int64_t r = 0; r < rows;) {
    const int n = next_rows(rows - r);
    const float* a[kRows];
    float* c[kRows];
    for (int i = 0; i < n; ++i) {
      a[i] = a_row(r + i);
      c[i] = c_row(r + i);
    }
    if (gate_stride != 0) {
      tile_rows<4, ByColumn, true>(n, a, stride, gate_stride, b, depth, c, begin, row);
    } else {
      switch (vectors) {
        case 1:
          tile_rows<1, ByColumn, false>(n, a, stride, 0, b, depth, c, begin, row);
          break;
        case 2:
          tile_rows<2, ByColumn, false>(n, a, stride, 0, b, depth, c, begin, row);
          break;
        case 3:
          tile_rows<3, ByColumn, false>(n, a, stride, 0, b, depth, c, begin, row);
          break;
        default:
          tile_rows<4, ByColumn, false>(n, a, stride, 0, b, depth, c, begin, row);
      }
    }
    r += n;
  }
}

// ---- layout ----------------------------------------------------------------------------------

struct Layout {
  int64_t blocks;   // of units: ceil(H / width)
  int64_t units;    // padded: blocks * width
  int64_t gates;    // padded: 4 * units, gate-interleaved columns
  int64_t inputs;   // padded to whole vectors
  int64_t slices;   // of the batch
  int64_t rows;     // of the largest slice
  int64_t chunk;    // steps of a chunk
  int64_t chunks;

  explicit Layout(const Inputs& in) {
    blocks = ceil_div(in.units, kWidth);
    units = blocks * kWidth;
    gates = 4 * units;
    inputs = whole_vectors(in.inputs);
    // Slices large enough that U's way through the cache is paid for, and few enough that their
    // weight gradients fit in memory; more than one wherever that leaves work for two threads.
    const int64_t wanted = in.units > 96 ? 32 : 16;
    slices = least(ceil_div(in.batch, wanted), 8);
    if (in.directions == 1 && slices == 1 && in.batch >= 8) slices = 2;
    rows = ceil_div(in.batch, slices);
    slices = ceil_div(in.batch, rows);
    chunk = least(most(128 / rows, 1), in.steps);
    chunks = ceil_div(in.steps, chunk);
  }
};

struct Slice {
  int direction;
  int64_t first, rows;  // of the batch
};

inline Slice slice_of(const Inputs& in, const Layout& to, int64_t task) {
  const int64_t number = task / in.directions;
  Slice one;
  one.direction = static_cast<int>(task % in.directions);
  one.first = number * to.rows;
  one.rows = least(to.rows, in.batch - one.first);
  return one;
}

// One direction's weights as the products read them. I, H and gate columns are counted in words
// where they are the depth.
struct Packed {
  float* kernel;     // [block][I][panel]
  float* recurrent;  // [block][H][panel]
  float* bias;       // [block][panel]
  // For the backward pass: panels over units or inputs, [panel number][gate column][panel]
  float* recurrent_t;
  float* kernel_t;
};

inline int64_t panels(int64_t columns) { return ceil_div(columns, kPanel); }

struct PackedSizes {
  size_t kernel, recurrent, bias, recurrent_t, kernel_t;
  PackedSizes(const Inputs& in, const Layout& to, bool backward) {
    kernel = static_cast<size_t>(to.gates * words(in.inputs));
    recurrent = static_cast<size_t>(to.gates * words(in.units));
    bias = static_cast<size_t>(to.gates);
    recurrent_t = backward ? static_cast<size_t>(panels(in.units) * kPanel * words(to.gates)) : 0;
    kernel_t = backward ? static_cast<size_t>(panels(in.inputs) * kPanel * words(to.gates)) : 0;
  }
  size_t all() const { return kernel + recurrent + bias + recurrent_t + kernel_t; }
};

// [K, 4H] -> [block][K][panel]
void pack_gates(const float* from, int64_t depth, int64_t units, int64_t blocks, float* to) {
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t lanes = units - block * kWidth;
    for (int64_t k = 0; k < depth; k += kFactors) {
      for (int gate = 0; gate < 4; ++gate, to += kWidth) {
        const float* row = from + k * 4 * units + gate * units + block * kWidth;
        const bool pair = kFactors == 2 && k + 1 < depth;
        const vec next = pair ? load_part(row + 4 * units, lanes) : vec{};
        store(to, along_columns(load_part(row, lanes), next));
      }
    }
  }
}

// [4H] -> [block][panel]
void pack_bias(const float* from, int64_t units, int64_t blocks, float* to) {
  for (int64_t block = 0; block < blocks; ++block) {
    for (int gate = 0; gate < 4; ++gate, to += kWidth) {
      store(to, load_part(from + gate * units + block * kWidth, units - block * kWidth));
    }
  }
}

// [K, 4H] -> [panel number][gate column][panel]: columns are K now.
void pack_transposed(const float* from, int64_t depth, int64_t units, const Layout& layout,
                     float* to) {
  const int64_t rows = words(layout.gates);
  memset(to, 0, static_cast<size_t>(panels(depth) * kPanel * rows) * sizeof(float));
  for (int64_t k = 0; k < depth; ++k) {
    float* out = to + (k / kPanel) * kPanel * rows + k % kPanel;
    for (int64_t block = 0; block < layout.blocks; ++block) {
      for (int gate = 0; gate < 4; ++gate) {
        const float* row = from + k * 4 * units + gate * units + block * kWidth;
        float column[kWidth];
        store(column, along_row(load_part(row, units - block * kWidth), vec{}));
        for (int i = 0; i < kWidth / kFactors; ++i, out += kPanel) *out = column[i];
      }
    }
  }
}

struct PackTask {
  const Inputs* in;
  const Layout* layout;
  Packed* packed;
  bool backward;

  static void run(void* context, int64_t number) {
    const PackTask& self = *static_cast<PackTask*>(context);
    const Inputs& in = *self.in;
    const Layout& layout = *self.layout;
    const Direction& direction = in.direction[number / 2];
    Packed& to = self.packed[number / 2];
    if (number % 2 == 0) {
      pack_gates(direction.kernel, in.inputs, in.units, layout.blocks, to.kernel);
      if (self.backward) {
        pack_transposed(direction.kernel, in.inputs, in.units, layout, to.kernel_t);
      }
    } else {
      pack_gates(direction.recurrent_kernel, in.units, in.units, layout.blocks, to.recurrent);
      if (self.backward) {
        pack_transposed(direction.recurrent_kernel, in.units, in.units, layout, to.recurrent_t);
      }
      if (direction.bias != nullptr) {
        pack_bias(direction.bias, in.units, layout.blocks, to.bias);
      } else {
        memset(to.bias, 0, static_cast<size_t>(layout.gates) * sizeof(float));
      }
    }
  }
};

class PackedWeights {
 public:
  PackedWeights(const Inputs& in, const Layout& layout, bool backward, Workers& workers)
      : sizes_(in, layout, backward),
        memory_(static_cast<size_t>(in.directions) * sizes_.all()) {
    float* next = memory_.data();
    for (int d = 0; d < in.directions; ++d) {
      packed_[d].kernel = next;
      packed_[d].recurrent = next += sizes_.kernel;
      packed_[d].bias = next += sizes_.recurrent;
      packed_[d].recurrent_t = next += sizes_.bias;
      packed_[d].kernel_t = next += sizes_.recurrent_t;
      next += sizes_.kernel_t;
    }
    PackTask task{&in, &layout, packed_, backward};
    workers.run(2 * in.directions, PackTask::run, &task);
  }
  const Packed& operator[](int direction) const { return packed_[direction]; }

 private:
  PackedSizes sizes_;
  Floats memory_;
  Packed packed_[2];
};

// ---- distinct tokens -------------------------------------------------------------------------

// The distinct tokens of a batch and where each occurs.
class Distinct {
 public:
  Distinct(const Inputs& in, bool with_places)
      : positions_(in.batch * in.steps),
        memory_(static_cast<size_t>(positions_ * (with_places ? 3 : 2) + in.words + 1)) {
    int32_t* next = reinterpret_cast<int32_t*>(memory_.data());
    index = next;
    tokens = next += positions_;
    int32_t* number = next += positions_;  // by token: its number + 1
    memset(number, 0, static_cast<size_t>(in.words) * sizeof(int32_t));
    places = with_places ? number + in.words + 1 : nullptr;
    for (int64_t p = 0; p < positions_; ++p) {
      int32_t token = in.tokens[p];
      if (token < 0) token += static_cast<int32_t>(in.words);
      if (number[token] == 0) {
        tokens[count] = token;
        number[token] = static_cast<int32_t>(++count);
      }
      index[p] = number[token] - 1;
    }
    if (with_places) {
      // Counting sort: starts[d] .. starts[d + 1] are token d's places.
      starts = number;
      memset(starts, 0, static_cast<size_t>(count + 1) * sizeof(int32_t));
      for (int64_t p = 0; p < positions_; ++p) ++starts[index[p]];
      int32_t sum = 0;
      for (int64_t d = 0; d < count; ++d) {
        const int32_t here = starts[d];
        starts[d] = sum;
        sum += here;
      }
      for (int64_t p = 0; p < positions_; ++p) {
        places[starts[index[p]]++] = static_cast<int32_t>(p);
      }
      for (int64_t d = count; d > 0; --d) starts[d] = starts[d - 1];
      starts[0] = 0;
    }
  }

  int64_t count = 0;
  int32_t* index;   // [B, T]: which distinct token stands there
  int32_t* tokens;  // [count]
  int32_t* starts;  // [count + 1]
  int32_t* places;  // [B T], by token

 private:
  int64_t positions_;
  Floats memory_;
};

// Sharing pays when the rows that it saves are more than what the detour costs.
inline bool shared(const Inputs& in, const Distinct& distinct) {
  return distinct.count * 4 <= in.batch * in.steps * 3;
}

// ---- forward ---------------------------------------------------------------------------------

// x's row of one text at one step.
inline const float* input_row(const Inputs& in, int64_t text, int64_t step) {
  const int64_t place = text * in.steps + step;
  if (in.x != nullptr) return in.x + place * in.inputs;
  int64_t token = in.tokens[place];
  if (token < 0) token += in.words;
  return in.table + token * in.inputs;
}

// out(r) = bias + row(r) W for each of `rows` rows of x; out has `gates` columns. `factors` is for
// the rows as factors where they are not such as they come: a row is row_words(I) there.
template <class Row, class Out>
void project(const Inputs& in, const Layout& layout, const Packed& weights, int64_t rows, Row row,
             float* factors, Out out) {
  const int64_t depth = words(in.inputs);
  for (int64_t r = 0; kFactors == 2 && r < rows; ++r) {
    copy_row(row(r), in.inputs, factors + r * row_words(in.inputs));
  }
  for (int64_t block = 0; block < layout.blocks; ++block) {
    const float* panel = weights.kernel + block * depth * kPanel;
    for (int64_t k = 0; k < depth; k += kDepth) {
      product<false>(
          rows, 4,
          [&](int64_t r) {
            return (kFactors == 2 ? factors + r * row_words(in.inputs) : row(r)) + k;
          },
          0, 0, panel + k * kPanel, least(kDepth, depth - k),
          [&](int64_t r) { return out(r) + block * kPanel; }, k == 0 ? Begin::kRow : Begin::kC,
          weights.bias + block * kPanel);
    }
  }
}

// What project needs for `factors`.
inline int64_t projected_factors(const Inputs& in, int64_t rows) {
  return kFactors == 2 ? rows * row_words(in.inputs) : 0;
}

// Rows of the table projected: [D][count][gates].
struct ProjectTask {
  const Inputs* in;
  const Layout* layout;
  const PackedWeights* weights;
  int64_t count;
  const int32_t* tokens;  // [count], or null: all rows in their order
  float* projected;
  static constexpr int64_t kTokens = 96;

  static void run(void* context, int64_t number) {
    const ProjectTask& self = *static_cast<ProjectTask*>(context);
    const Inputs& in = *self.in;
    const int direction = static_cast<int>(number % in.directions);
    const int64_t first = number / in.directions * kTokens;
    const int64_t tokens = least(kTokens, self.count - first);
    const int64_t gates = self.layout->gates;
    float* out = self.projected + (direction * self.count + first) * gates;
    const Floats factors(static_cast<size_t>(projected_factors(in, tokens)));
    project(
        in, *self.layout, (*self.weights)[direction], tokens,
        [&](int64_t r) {
          return in.table + (self.tokens != nullptr ? self.tokens[first + r] : first + r) * in.inputs;
        },
        factors.data(), [&](int64_t r) { return out + r * gates; });
  }

  static void all(ProjectTask& task, Workers& workers) {
    workers.run(ceil_div(task.count, kTokens) * task.in->directions, run, &task);
  }
};

struct Forward {
  const Inputs* in;
  const Layout* layout;
  const PackedWeights* weights;
  const float* projected;  // [D][count][gates], or null
  const int32_t* index;    // [B, T]: which of the projected rows
  int64_t count;
  const Outputs* out;
  Residuals* residuals;  // or null

  static void run(void* context, int64_t number) {
    static_cast<Forward*>(context)->slice(slice_of(*static_cast<Forward*>(context)->in,
                                                   *static_cast<Forward*>(context)->layout,
                                                   number));
  }

  void slice(const Slice& slice) const;
};

inline int64_t residual_row(const Layout& layout) { return 5 * layout.units; }

// Where a slice's gates of one step begin: [block][row][i f g o c][lane].
inline float* gates_of(const Inputs& in, const Layout& layout, const Residuals& residuals,
                       const Slice& slice, int64_t step) {
  return residuals.gates + residual_row(layout) * (slice.direction * in.batch * in.steps +
                                                   slice.first * in.steps + step * slice.rows);
}

inline float* states_of(const Inputs& in, const Layout& layout, const Residuals& residuals,
                        const Slice& slice, int64_t step) {
  return residuals.states +
         layout.units * ((slice.direction * in.steps + step) * in.batch + slice.first);
}

// Copies rows of `units` into rows padded with zeros; null gives zeros.
inline void pad_rows(const float* from, int64_t stride, int64_t rows, int64_t units, float* to,
                     int64_t padded) {
  for (int64_t r = 0; r < rows; ++r, to += padded) {
    if (from != nullptr) {
      memcpy(to, from + r * stride, static_cast<size_t>(units) * sizeof(float));
    }
    for (int64_t u = from != nullptr ? units : 0; u < padded; ++u) to[u] = 0;
  }
}

// A slice's recurrent dropout, padded: [gate][row][unit].
inline void pad_dropout(const Inputs& in, const Layout& layout, const Slice& slice, float* to) {
  const float* from = in.direction[slice.direction].recurrent_dropout;
  for (int gate = 0; gate < 4; ++gate) {
    pad_rows(from + (gate * in.batch + slice.first) * in.units, in.units, slice.rows, in.units,
             to + gate * slice.rows * layout.units, layout.units);
  }
}

inline vec times(vec a, const float* or_null) {
  return or_null != nullptr ? a * load(or_null) : a;
}

// h's rows as factors, row_words(units) each; with dropout once for each gate.
inline void hidden_rows(const float* h, const float* dropout, int64_t rows, int64_t units,
                        float* to) {
  for (int gate = 0; gate < (dropout != nullptr ? 4 : 1); ++gate) {
    for (int64_t r = 0; r < rows; ++r) {
      const float* from = h + r * units;
      const float* by = dropout != nullptr ? dropout + (gate * rows + r) * units : nullptr;
      for (int64_t u = 0; u < units; u += kFactors * kWidth, to += kWidth) {
        const bool pair = kFactors == 2 && u + kWidth < units;
        const int64_t next = u + (pair ? kWidth : 0);
        const vec second = times(load(from + next), by != nullptr ? by + next : nullptr);
        store(to, along_row(times(load(from + u), by != nullptr ? by + u : nullptr),
                            pair ? second : vec{}));
      }
    }
  }
}

// The gates of R rows and one block from their sums, and the new states.
template <int R>
inline __attribute__((always_inline)) void step_tile(const vec (&z)[R][4], float* const* c,
                                                     float* const* h, float* const* saved) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const vec i = sigmoid(z[r][0]), f = sigmoid(z[r][1]);
    const vec g = hyperbolic_tangent(z[r][2]), o = sigmoid(z[r][3]);
    const vec cell = f * load(c[r]) + i * g;
    store(c[r], cell);
    store(h[r], o * hyperbolic_tangent(cell));
    if (saved != nullptr) {
      store(saved[r], i);
      store(saved[r] + kWidth, f);
      store(saved[r] + 2 * kWidth, g);
      store(saved[r] + 3 * kWidth, o);
      store(saved[r] + 4 * kWidth, cell);
    }
  }
}

// z = x W + b (ready) + h U for R rows of one block, then the gates.
template <int R, bool ByGate>
void recur_tile(const float* const* h_before, int64_t gate_stride, const float* panel,
                int64_t depth, const float* const* x_projected, float* const* sums,
                float* const* c, float* const* h, float* const* saved) {
  vec tile[R][4];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      tile[r][v] = load((sums != nullptr ? sums[r] : x_projected[r]) + v * kWidth);
    }
  }
  multiply<R, 4, false, ByGate>(tile, h_before, 0, gate_stride, panel, depth);
  step_tile<R>(tile, c, h, saved);
}

template <bool ByGate>
inline void recur_rows(int rows, const float* const* h_before, int64_t gate_stride,
                       const float* panel, int64_t depth, const float* const* x_projected,
                       float* const* sums, float* const* c, float* const* h,
                       float* const* saved) {
  switch (rows) {
#define SENTILAB_TILE(R)                                                                        \
  case R:                                                                                       \
    return recur_tile<R, ByGate>(h_before, gate_stride, panel, depth, x_projected, sums, c, h, \
                                 saved);
    SENTILAB_TILE(1)
    SENTILAB_TILE(2)
    SENTILAB_TILE(3)
#if SENTILAB_ROWS > 3
    SENTILAB_TILE(4)
    SENTILAB_TILE(5)
    SENTILAB_TILE(6)
#endif
#undef SENTILAB_TILE
  }
}

void Forward::slice(const Slice& slice) const {
  const Direction& direction = in->direction[slice.direction];
  const Packed& packed = (*weights)[slice.direction];
  const int64_t rows = slice.rows, units = layout->units, gates = layout->gates;
  const int64_t width = in->directions * in->units, offset = slice.direction * in->units;
  const int64_t depth = words(in->units);
  const bool deep = depth > kDepth;
  const bool drops = direction.recurrent_dropout != nullptr;
  // What U is multiplied with: h as it is, or h as factors.
  const bool as_it_is = kFactors == 1 && !drops;
  const int64_t factor_row = row_words(units);
  const int64_t gate_stride = drops ? rows * factor_row : 0;
  const int64_t chunk_rows = projected == nullptr ? layout->chunk * rows : 0;

  Floats scratch(static_cast<size_t>(
      4 * rows * units + chunk_rows * gates + projected_factors(*in, chunk_rows) +
      (deep ? rows * kPanel : 0) + (drops ? 4 * rows * units : 0) +
      (as_it_is ? 0 : (drops ? 4 : 1) * rows * factor_row)));
  float* h_before = scratch.data();
  float* h = h_before + rows * units;
  float* c = h + rows * units;
  float* c_before = c + rows * units;  // only with a mask
  float* chunk_projected = c_before + rows * units;
  float* x_factors = chunk_projected + chunk_rows * gates;
  float* sums = x_factors + projected_factors(*in, chunk_rows);
  float* dropout = sums + (deep ? rows * kPanel : 0);
  float* factors = dropout + (drops ? 4 * rows * units : 0);
  if (drops) {
    pad_dropout(*in, *layout, slice, dropout);
  } else {
    dropout = nullptr;
  }
  pad_rows(direction.h0 ? direction.h0 + slice.first * in->units : nullptr, in->units, rows,
           in->units, h_before, units);
  pad_rows(direction.c0 ? direction.c0 + slice.first * in->units : nullptr, in->units, rows,
           in->units, c, units);

  int64_t chunk_first = 0, chunk_steps = 0;
  for (int64_t done = 0; done < in->steps; ++done) {
    const int64_t step = direction.reverse ? in->steps - 1 - done : done;
    if (projected == nullptr && (done == 0 || step < chunk_first ||
                                 step >= chunk_first + chunk_steps)) {
      chunk_first = step / layout->chunk * layout->chunk;
      chunk_steps = least(layout->chunk, in->steps - chunk_first);
      // Rows of a tile are steps of one text: they lie side by side in x.
      project(
          *in, *layout, packed, rows * chunk_steps,
          [&](int64_t k) {
            return input_row(*in, slice.first + k / chunk_steps, chunk_first + k % chunk_steps);
          },
          x_factors,
          [&](int64_t k) {
            return chunk_projected + ((k % chunk_steps) * rows + k / chunk_steps) * gates;
          });
    }
    float* saved_step =
        residuals != nullptr ? gates_of(*in, *layout, *residuals, slice, step) : nullptr;

    if (in->mask != nullptr) {
      memcpy(c_before, c, static_cast<size_t>(rows * units) * sizeof(float));
    }
    if (!as_it_is) hidden_rows(h_before, dropout, rows, units, factors);
    const float* left = as_it_is ? h_before : factors;
    for (int64_t block = 0; block < layout->blocks; ++block) {
      const float* panel = packed.recurrent + block * depth * kPanel;
      auto x_projected = [&](int64_t r) {
        const float* row =
            projected != nullptr
                ? projected + (slice.direction * count +
                               index[(slice.first + r) * in->steps + step]) * gates
                : chunk_projected + ((step - chunk_first) * rows + r) * gates;
        return row + block * kPanel;
      };
      int64_t last = 0;  // where the last stretch of U's depth begins
      if (deep) {
        for (; last + kDepth < depth; last += kDepth) {
          for (int64_t r = 0; last == 0 && r < rows; ++r) {
            memcpy(sums + r * kPanel, x_projected(r), kPanel * sizeof(float));
          }
          product<false>(
              rows, 4, [&](int64_t r) { return left + r * factor_row + last; }, 0, gate_stride,
              panel + last * kPanel, kDepth, [&](int64_t r) { return sums + r * kPanel; },
              Begin::kC);
        }
      }
      for (int64_t r = 0; r < rows;) {
        const int n = next_rows(rows - r);
        const float *before[kRows], *x_rows[kRows];
        float *sum_rows[kRows], *c_rows[kRows], *h_rows[kRows], *saved_rows[kRows];
        for (int i = 0; i < n; ++i) {
          before[i] = left + (r + i) * factor_row + last;
          x_rows[i] = deep ? nullptr : x_projected(r + i);
          sum_rows[i] = sums + (r + i) * kPanel;
          c_rows[i] = c + (r + i) * units + block * kWidth;
          h_rows[i] = h + (r + i) * units + block * kWidth;
          if (saved_step != nullptr) {
            saved_rows[i] = saved_step + (block * rows + r + i) * 5 * kWidth;
          }
        }
        (drops ? recur_rows<true> : recur_rows<false>)(
            n, before, gate_stride, panel + last * kPanel, depth - last, x_rows,
            deep ? sum_rows : nullptr, c_rows, h_rows,
            saved_step != nullptr ? saved_rows : nullptr);
        r += n;
      }
    }

    for (int64_t r = 0; in->mask != nullptr && r < rows; ++r) {
      if (!in->mask[(slice.first + r) * in->steps + step]) {
        const size_t bytes = static_cast<size_t>(units) * sizeof(float);
        memcpy(h + r * units, h_before + r * units, bytes);
        memcpy(c + r * units, c_before + r * units, bytes);
        for (int64_t block = 0; saved_step != nullptr && block < layout->blocks; ++block) {
          store(saved_step + ((block * rows + r) * 5 + 4) * kWidth,
                load(c + r * units + block * kWidth));
        }
      }
    }
    if (in->mask != nullptr && residuals != nullptr) {
      memcpy(states_of(*in, *layout, *residuals, slice, step), h,
             static_cast<size_t>(rows * units) * sizeof(float));
    }
    if (out->y != nullptr) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t place = (slice.first + r) * in->steps + step;
        float* y = out->y + place * width + offset;
        if (in->mask != nullptr && in->zero_masked && !in->mask[place]) {
          memset(y, 0, static_cast<size_t>(in->units) * sizeof(float));
        } else {
          memcpy(y, h + r * units, static_cast<size_t>(in->units) * sizeof(float));
        }
      }
    }
    float* swap = h_before;
    h_before = h;
    h = swap;
  }
  for (int64_t r = 0; r < rows; ++r) {
    const size_t bytes = static_cast<size_t>(in->units) * sizeof(float);
    memcpy(out->h + (slice.first + r) * width + offset, h_before + r * units, bytes);
    memcpy(out->c + (slice.first + r) * width + offset, c + r * units, bytes);
  }
}

void forward(const Inputs& in, const Outputs& out, Residuals* residuals, Workers& workers) {
  const Layout layout(in);
  if (residuals != nullptr) {
    const int64_t rows = in.directions * in.batch * in.steps;
    residuals->width = kWidth;
    residuals->gates_bytes = static_cast<size_t>(rows * residual_row(layout)) * sizeof(float);
    residuals->gates = static_cast<float*>(take_memory(residuals->gates_bytes));
    if (in.mask != nullptr) {
      residuals->states_bytes = static_cast<size_t>(rows * layout.units) * sizeof(float);
      residuals->states = static_cast<float*>(take_memory(residuals->states_bytes));
    }
  }
  const PackedWeights weights(in, layout, false, workers);
  Forward task{&in, &layout, &weights, in.projected, in.tokens, in.words, &out, residuals};
  const int64_t tasks = layout.slices * in.directions;
  if (in.tokens != nullptr && in.projected == nullptr) {
    const Distinct distinct(in, false);
    if (shared(in, distinct)) {
      const Floats projected(static_cast<size_t>(in.directions * distinct.count * layout.gates));
      ProjectTask project_task{&in,    &layout, &weights, distinct.count, distinct.tokens,
                               projected.data()};
      ProjectTask::all(project_task, workers);
      task.projected = projected.data();
      task.index = distinct.index;
      task.count = distinct.count;
      workers.run(tasks, Forward::run, &task);
      return;
    }
  }
  workers.run(tasks, Forward::run, &task);
}

int64_t projected_size(const Inputs& in) { return in.directions * in.words * Layout(in).gates; }

void project_table(const Inputs& in, float* projected, Workers& workers) {
  const Layout layout(in);
  const PackedWeights weights(in, layout, false, workers);
  ProjectTask task{&in, &layout, &weights, in.words, nullptr, projected};
  ProjectTask::all(task, workers);
}

// ---- backward --------------------------------------------------------------------------------

struct Backward {
  const Inputs* in;
  const Layout* layout;
  const PackedWeights* weights;
  const Residuals* residuals;
  const OutputGradients* out;
  const InputGradients* gradients;
  float* partial;     // by task: dU [block][H][panel], db [block][panel], dW [block][I][panel]
  float* dz_places;   // [D][B T][gates in words] where tokens are shared, else null
  float* dx;          // [B, T, I] where they are not
  int32_t* dx_state;  // [claimed, written][slices][chunks]

  int64_t partial_size() const {
    return layout->gates * (in->units + 1 + (dz_places == nullptr ? in->inputs : 0));
  }
  static void run(void* context, int64_t number) {
    const Backward& self = *static_cast<Backward*>(context);
    const int64_t slices = self.layout->slices * self.in->directions;
    if (number < slices) {
      self.slice(slice_of(*self.in, *self.layout, number), number);
    } else {
      self.zero_table(number - slices);
    }
  }
  static constexpr int64_t kZeroRows = 4096;  // of the table, a task

  void zero_table(int64_t stripe) const {
    const int64_t first = stripe * kZeroRows, rows = least(kZeroRows, in->words - first);
    memset(gradients->table + first * in->inputs, 0,
           static_cast<size_t>(rows * in->inputs) * sizeof(float));
  }
  void slice(const Slice& slice, int64_t number) const;
  void merge_dx(const Slice& slice, int64_t chunk, int64_t first, int64_t steps,
                const float* from, int64_t stride) const;
};

// C (rows, columns of A's other side) from the columns of all gates or of one: rows of dz times a
// transposed kernel. dz is [block][..][panel], `dz_stride` rows a block.
inline void times_transposed(const Layout& layout, const float* dz, int64_t dz_stride, int64_t rows,
                             const float* transposed, int64_t columns, float* c, int64_t ldc,
                             int gate = -1) {
  const int64_t first = gate < 0 ? 0 : gate * (kPanelWords / 4);
  const int64_t depth = gate < 0 ? kPanelWords : kPanelWords / 4;
  for (int64_t number = 0; number < panels(columns); ++number) {
    const int vectors =
        static_cast<int>(least(4, ceil_div(columns - number * kPanel, kWidth)));
    for (int64_t block = 0; block < layout.blocks; ++block) {
      const float* a = dz + block * dz_stride * kPanelWords + first;
      const int64_t b = number * words(layout.gates) + block * kPanelWords + first;
      product<false>(
          rows, vectors, [&](int64_t r) { return a + r * kPanelWords; }, 0, 0,
          transposed + b * kPanel, depth,
          [&](int64_t r) { return c + r * ldc + number * kPanel; },
          block == 0 ? Begin::kZero : Begin::kC);
    }
  }
}

// C [block][columns of a][panel] += A^T dz over `depth` words of rows of both. With a `gate_stride`
// A is another for each gate.
inline void add_outer(const Layout& layout, const float* a, int64_t columns, int64_t stride,
                      int64_t gate_stride, const float* dz, int64_t dz_stride, int64_t depth,
                      float* c) {
  for (int64_t k = 0; k < depth; k += kDepth) {
    for (int64_t block = 0; block < layout.blocks; ++block) {
      product<true>(
          columns, 4, [&](int64_t i) { return a + k * stride + i; }, stride, gate_stride,
          dz + (block * dz_stride + k) * kPanel, least(kDepth, depth - k),
          [&](int64_t i) { return c + (block * columns + i) * kPanel; }, Begin::kC);
    }
  }
}

// The factors of h's columns over `rows` rows, of which dropout has `period`; with dropout once for
// each gate, `gate_stride` apart.
inline void hidden_columns(const float* h, const float* dropout, int64_t rows, int64_t period,
                           int64_t units, int64_t gate_stride, float* to) {
  for (int gate = 0; gate < (dropout != nullptr ? 4 : 1); ++gate) {
    const float* factors = dropout != nullptr ? dropout + gate * period * units : nullptr;
    auto dropped = [&](int64_t k, int64_t u) {
      const float* by = factors != nullptr ? factors + k % period * units + u : nullptr;
      return times(load(h + k * units + u), by);
    };
    float* out = to + gate * gate_stride;
    for (int64_t k = 0; k < rows; k += kFactors) {
      const bool pair = kFactors == 2 && k + 1 < rows;
      for (int64_t u = 0; u < units; u += kWidth, out += kWidth) {
        store(out, along_columns(dropped(k, u), pair ? dropped(k + 1, u) : vec{}));
      }
    }
  }
}

void Backward::slice(const Slice& slice, int64_t number) const {
  const Direction& direction = in->direction[slice.direction];
  const DirectionGradients& gradient = gradients->direction[slice.direction];
  const Packed& packed = (*weights)[slice.direction];
  const int64_t rows = slice.rows, units = layout->units, inputs = layout->inputs;
  const int64_t width = in->directions * in->units, offset = slice.direction * in->units;
  const int64_t chunk_rows = layout->chunk * rows;
  const int64_t chunk_words = words(chunk_rows);
  const bool plain = dz_places == nullptr;
  const bool drops = direction.recurrent_dropout != nullptr;
  // The left factor of dU: h as it is, or h as factors.
  const bool as_it_is = kFactors == 1 && !drops;
  const int64_t gate_stride = drops ? chunk_words * units : 0;

  float* d_recurrent = partial + number * partial_size();
  float* d_bias = d_recurrent + layout->gates * in->units;
  float* d_kernel = d_bias + layout->gates;
  memset(d_recurrent, 0, static_cast<size_t>(partial_size()) * sizeof(float));

  const Floats scratch(static_cast<size_t>(
      5 * rows * units + chunk_rows * units + words(layout->gates) * chunk_rows +
      (kFactors == 2 ? layout->gates * chunk_words : 0) +
      (plain ? chunk_words * inputs + chunk_rows * inputs : 0) + (drops ? 5 * rows * units : 0) +
      (as_it_is ? 0 : (drops ? 4 : 1) * chunk_words * units)));
  float* dh = scratch.data();
  float* dc = dh + rows * units;
  float* kept = dc + rows * units;       // dh of masked rows, on its way to the step before
  float* c_first = kept + rows * units;  // c0, padded
  float* dy = c_first + rows * units;
  float* h_before = dy + rows * units;  // of each step of the chunk
  float* dz = h_before + chunk_rows * units;
  float* dz_pairs = dz + words(layout->gates) * chunk_rows;  // of rows, where they are needed
  float* x = dz_pairs + (kFactors == 2 ? layout->gates * chunk_words : 0);
  float* dx_chunk = x + (plain ? chunk_words * inputs : 0);
  float* dropout = dx_chunk + (plain ? chunk_rows * inputs : 0);
  float* dh_gate = dropout + (drops ? 4 * rows * units : 0);
  float* h_factors = dh_gate + (drops ? rows * units : 0);
  if (drops) {
    pad_dropout(*in, *layout, slice, dropout);
  } else {
    dropout = nullptr;
  }

  pad_rows(out->h + slice.first * width + offset, width, rows, in->units, dh, units);
  pad_rows(out->c + slice.first * width + offset, width, rows, in->units, dc, units);
  pad_rows(direction.c0 ? direction.c0 + slice.first * in->units : nullptr, in->units, rows,
           in->units, c_first, units);

  const int64_t towards_start = direction.reverse ? 1 : -1;
  const int64_t first_step = direction.reverse ? in->steps - 1 : 0;
  for (int64_t done = 0; done < layout->chunks; ++done) {
    const int64_t chunk = direction.reverse ? done : layout->chunks - 1 - done;
    const int64_t first = chunk * layout->chunk, steps = least(layout->chunk, in->steps - first);
    const int64_t used = steps * rows;
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t step = direction.reverse ? first + s : first + steps - 1 - s;
      const bool at_start = step == first_step;
      const int64_t position = (step - first) * rows;  // of the step's rows in the chunk
      const float* saved = gates_of(*in, *layout, *residuals, slice, step);
      const float* saved_before =
          at_start ? nullptr : gates_of(*in, *layout, *residuals, slice, step + towards_start);
      // This step's h is the step's before it in the backward pass: the next one in time.
      const int64_t next = step - towards_start;
      float* h_next = next >= first && next < first + steps
                          ? h_before + (next - first) * rows * units
                          : nullptr;
      if (out->y != nullptr) {
        pad_rows(out->y + (slice.first * in->steps + step) * width + offset, in->steps * width,
                 rows, in->units, dy, units);
      }
      for (int64_t block = 0; block < layout->blocks; ++block) {
        vec sum_i{}, sum_f{}, sum_g{}, sum_o{};
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t at = r * units + block * kWidth;
          const float* gate = saved + (block * rows + r) * 5 * kWidth;
          float* out_row = dz + (block * chunk_rows + position + r) * kPanelWords;
          const int64_t place = (slice.first + r) * in->steps + step;
          const bool masked = in->mask != nullptr && !in->mask[place];
          vec dh_all = load(dh + at);
          if (out->y != nullptr && !(masked && in->zero_masked)) dh_all += load(dy + at);
          if (masked) {
            for (int v = 0; v < kPanelWords; v += kWidth) store(out_row + v, vec{});
            store(kept + at, dh_all);
            continue;
          }
          const vec i = load(gate), f = load(gate + kWidth), g = load(gate + 2 * kWidth);
          const vec o = load(gate + 3 * kWidth), c = load(gate + 4 * kWidth);
          const vec c_before =
              at_start ? load(c_first + at)
                       : load(saved_before + ((block * rows + r) * 5 + 4) * kWidth);
          const vec tanh_c = hyperbolic_tangent(c);
          if (h_next != nullptr && in->mask == nullptr) store(h_next + at, o * tanh_c);
          const vec dc_all = load(dc + at) + dh_all * o * (1.0f - tanh_c * tanh_c);
          const vec di = dc_all * g * i * (1.0f - i);
          const vec df = dc_all * c_before * f * (1.0f - f);
          const vec dg = dc_all * i * (1.0f - g * g);
          const vec d_o = dh_all * tanh_c * o * (1.0f - o);
          store(dc + at, dc_all * f);
          const vec gate_gradients[4] = {di, df, dg, d_o};
          store_gates(out_row, gate_gradients);
          sum_i += di;
          sum_f += df;
          sum_g += dg;
          sum_o += d_o;
        }
        float* bias = d_bias + block * kPanel;
        store(bias, load(bias) + sum_i);
        store(bias + kWidth, load(bias + kWidth) + sum_f);
        store(bias + 2 * kWidth, load(bias + 2 * kWidth) + sum_g);
        store(bias + 3 * kWidth, load(bias + 3 * kWidth) + sum_o);
      }
      const float* dz_step = dz + position * kPanelWords;
      for (int gate = 0; drops && gate < 4; ++gate) {
        times_transposed(*layout, dz_step, chunk_rows, rows, packed.recurrent_t, in->units,
                         dh_gate, units, gate);
        const float* by = dropout + gate * rows * units;
        for (int64_t at = 0; at < rows * units; at += kWidth) {
          const vec before = gate == 0 ? vec{} : load(dh + at);
          store(dh + at, before + load(dh_gate + at) * load(by + at));
        }
      }
      if (!drops) {
        times_transposed(*layout, dz_step, chunk_rows, rows, packed.recurrent_t, in->units, dh,
                         units);
      }
      for (int64_t r = 0; in->mask != nullptr && r < rows; ++r) {
        if (in->mask[(slice.first + r) * in->steps + step]) continue;
        for (int64_t u = 0; u < units; u += kWidth) {
          const int64_t at = r * units + u;
          store(dh + at, load(dh + at) + load(kept + at));
        }
      }

      // h before this step, where the loop above will not come by to leave it.
      float* h_here = h_before + position * units;
      if (at_start) {
        pad_rows(direction.h0 ? direction.h0 + slice.first * in->units : nullptr, in->units, rows,
                 in->units, h_here, units);
      } else if (in->mask != nullptr) {
        memcpy(h_here, states_of(*in, *layout, *residuals, slice, step + towards_start),
               static_cast<size_t>(rows * units) * sizeof(float));
      } else if (s == steps - 1) {
        for (int64_t block = 0; block < layout->blocks; ++block) {
          for (int64_t r = 0; r < rows; ++r) {
            const float* gate = saved_before + (block * rows + r) * 5 * kWidth;
            store(h_here + r * units + block * kWidth,
                  load(gate + 3 * kWidth) * hyperbolic_tangent(load(gate + 4 * kWidth)));
          }
        }
      }
    }

    const float* dz_factors = dz;  // over rows
    if (kFactors == 2) {
      for (int64_t block = 0; block < layout->blocks; ++block) {
        restacked(dz + block * chunk_rows * kPanelWords, used,
                  dz_pairs + block * chunk_words * kPanel);
      }
      dz_factors = dz_pairs;
    }
    if (!as_it_is) {
      hidden_columns(h_before, dropout, used, rows, units, gate_stride, h_factors);
    }
    add_outer(*layout, as_it_is ? h_before : h_factors, in->units, units, gate_stride, dz_factors,
              chunk_words, words(used), d_recurrent);
    if (plain) {
      copy_columns(
          used, in->inputs,
          [&](int64_t k) {
            return input_row(*in, slice.first + k % rows, first + k / rows);
          },
          x);
      add_outer(*layout, x, in->inputs, inputs, 0, dz_factors, chunk_words, words(used), d_kernel);
      times_transposed(*layout, dz, chunk_rows, used, packed.kernel_t, in->inputs, dx_chunk,
                       inputs);
      merge_dx(slice, chunk, first, steps, dx_chunk, inputs);
    } else {
      for (int64_t k = 0; k < used; ++k) {
        const int64_t place = (slice.first + k % rows) * in->steps + first + k / rows;
        float* to =
            dz_places + (slice.direction * in->batch * in->steps + place) * words(layout->gates);
        for (int64_t block = 0; block < layout->blocks; ++block) {
          memcpy(to + block * kPanelWords, dz + (block * chunk_rows + k) * kPanelWords,
                 kPanelWords * sizeof(float));
        }
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const size_t bytes = static_cast<size_t>(in->units) * sizeof(float);
    const int64_t at = (slice.first + r) * in->units;
    if (gradient.h0 != nullptr) memcpy(gradient.h0 + at, dh + r * units, bytes);
    if (gradient.c0 != nullptr) memcpy(gradient.c0 + at, dc + r * units, bytes);
  }
}

void Backward::merge_dx(const Slice& slice, int64_t chunk, int64_t first, int64_t steps,
                        const float* from, int64_t stride) const {
  // The two directions walk through time from opposite ends. Whichever comes to a chunk first
  // writes it, the other adds: a + b = b + a, so the bits are the same either way.
  int32_t* claimed = dx_state + slice.first / layout->rows * layout->chunks + chunk;
  int32_t* written = claimed + layout->slices * layout->chunks;
  const bool adds =
      in->directions == 2 && __atomic_exchange_n(claimed, 1, __ATOMIC_ACQ_REL) != 0;
  // The other direction's task is running, and between claiming and writing it only copies: this
  // wait is short, and gives the processor away.
  while (adds && !__atomic_load_n(written, __ATOMIC_ACQUIRE)) sched_yield();
  for (int64_t k = 0; k < steps * slice.rows; ++k, from += stride) {
    float* to =
        dx + ((slice.first + k % slice.rows) * in->steps + first + k / slice.rows) * in->inputs;
    if (adds) {
      for (int64_t i = 0; i < in->inputs; ++i) to[i] += from[i];
    } else {
      memcpy(to, from, static_cast<size_t>(in->inputs) * sizeof(float));
    }
  }
  if (!adds) __atomic_store_n(written, 1, __ATOMIC_RELEASE);
}

// [block][K][panel] -> [K, 4H], summed over `parts` that lie `part_stride` apart, in their order.
void unpack_gates(const float* from, int64_t parts, int64_t part_stride, int64_t block,
                  int64_t depth, int64_t units, float* to) {
  const int64_t first = block * kWidth, lanes = least(kWidth, units - first);
  for (int64_t k = 0; k < depth; ++k) {
    for (int gate = 0; gate < 4; ++gate) {
      const float* part = from + (block * depth + k) * kPanel + gate * kWidth;
      vec sum = load(part);
      for (int64_t p = 1; p < parts; ++p) sum += load(part + p * part_stride);
      float* out = to + k * 4 * units + gate * units + first;
      if (lanes == kWidth) {
        store(out, sum);
      } else {
        memcpy(out, &sum, static_cast<size_t>(lanes) * sizeof(float));
      }
    }
  }
}

// Sums the slices' weight gradients.
struct SumTask {
  const Backward* backward;

  static void run(void* context, int64_t number) {
    const Backward& self = *static_cast<SumTask*>(context)->backward;
    const Inputs& in = *self.in;
    const Layout& layout = *self.layout;
    const int64_t d = number % in.directions, block = number / in.directions;
    const DirectionGradients& to = self.gradients->direction[d];
    const int64_t stride = self.partial_size() * in.directions;
    const float* from = self.partial + d * self.partial_size();
    unpack_gates(from, layout.slices, stride, block, in.units, in.units, to.recurrent_kernel);
    from += layout.gates * in.units;
    if (to.bias != nullptr) {
      unpack_gates(from, layout.slices, stride, block, 1, in.units, to.bias);
    }
    from += layout.gates;
    if (self.dz_places == nullptr) {
      unpack_gates(from, layout.slices, stride, block, in.inputs, in.units, to.kernel);
    }
  }
};

// Gradients summed by token, then through W to the table's rows.
struct TokenTask {
  const Backward* backward;
  const Distinct* distinct;
  float* sums;  // [D][block][count][panel in words]
  float* rows;  // [count in words][padded I]: the table's rows, as columns' factors
  static constexpr int64_t kTokens = 64;

  static void run(void* context, int64_t number) {
    const TokenTask& self = *static_cast<TokenTask*>(context);
    const Inputs& in = *self.backward->in;
    const Layout& layout = *self.backward->layout;
    const Distinct& distinct = *self.distinct;
    const int64_t first = number * kTokens, tokens = least(kTokens, distinct.count - first);
    const Floats scratch(static_cast<size_t>(2 * tokens * layout.inputs));
    for (int64_t d = 0; d < in.directions; ++d) {
      const int64_t gates = words(layout.gates);
      const float* dz = self.backward->dz_places + d * in.batch * in.steps * gates;
      float* sums = self.sums + d * gates * distinct.count;
      for (int64_t token = first; token < first + tokens; ++token) {
        for (int64_t block = 0; block < layout.blocks; ++block) {
          vec sum[4] = {vec{}, vec{}, vec{}, vec{}};
          for (int32_t p = distinct.starts[token]; p < distinct.starts[token + 1]; ++p) {
            add_gates(sum, dz + distinct.places[p] * gates + block * kPanelWords);
          }
          store_sums(sums + (block * distinct.count + token) * kPanelWords, sum);
        }
      }
      times_transposed(layout, sums + first * kPanelWords, distinct.count, tokens,
                       (*self.backward->weights)[static_cast<int>(d)].kernel_t, in.inputs,
                       scratch.data() + d * tokens * layout.inputs, layout.inputs);
    }
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t row = distinct.tokens[first + t] * in.inputs;
      float* to = self.backward->gradients->table + row;
      const float* from = scratch.data() + t * layout.inputs;
      const float* other = in.directions == 2 ? from + tokens * layout.inputs : nullptr;
      for (int64_t i = 0; i < in.inputs; ++i) to[i] = from[i] + (other ? other[i] : 0.0f);
    }
    static_assert(kTokens % kFactors == 0, "a pair is of one task's tokens");
    copy_columns(
        tokens, in.inputs,
        [&](int64_t t) { return in.table + distinct.tokens[first + t] * in.inputs; },
        self.rows + words(first) * layout.inputs);
  }
};

// dW of one direction and block from the sums by token.
struct TokenWeightTask {
  const TokenTask* tokens;

  static void run(void* context, int64_t number) {
    const TokenTask& self = *static_cast<TokenWeightTask*>(context)->tokens;
    const Inputs& in = *self.backward->in;
    const Layout& layout = *self.backward->layout;
    const int64_t d = number % in.directions, block = number / in.directions;
    const int64_t count = self.distinct->count;
    const Floats scratch(static_cast<size_t>((in.inputs + kDepth) * kPanel));
    float* pairs = scratch.data() + in.inputs * kPanel;  // of tokens
    const float* sums = self.sums + (d * layout.blocks + block) * count * kPanelWords;
    for (int64_t k = 0; k < count; k += kFactors * kDepth) {
      const int64_t depth = least(kFactors * kDepth, count - k);
      product<true>(
          in.inputs, 4,
          [&](int64_t i) { return self.rows + words(k) * layout.inputs + i; }, layout.inputs, 0,
          restacked(sums + k * kPanelWords, depth, pairs), words(depth),
          [&](int64_t i) { return scratch.data() + i * kPanel; },
          k == 0 ? Begin::kZero : Begin::kC);
    }
    // The scratch holds this block alone: as if it were the first.
    const float* as_if = scratch.data() - block * in.inputs * kPanel;
    unpack_gates(as_if, 1, 0, block, in.inputs, in.units,
                 self.backward->gradients->direction[d].kernel);
  }
};

// The table's gradient where each place was treated on its own.
struct ScatterTask {
  const Backward* backward;
  const Distinct* distinct;
  static constexpr int64_t kTokens = 64;

  static void run(void* context, int64_t number) {
    const ScatterTask& self = *static_cast<ScatterTask*>(context);
    const Inputs& in = *self.backward->in;
    const Distinct& distinct = *self.distinct;
    const int64_t first = number * kTokens, last = least(first + kTokens, distinct.count);
    for (int64_t token = first; token < last; ++token) {
      float* to = self.backward->gradients->table + distinct.tokens[token] * in.inputs;
      for (int32_t p = distinct.starts[token]; p < distinct.starts[token + 1]; ++p) {
        const float* from = self.backward->dx + distinct.places[p] * in.inputs;
        for (int64_t i = 0; i < in.inputs; ++i) to[i] += from[i];
      }
    }
  }
};

void run_backward(Backward& task, const Distinct* distinct, Workers& workers) {
  const Inputs& in = *task.in;
  const Layout& layout = *task.layout;
  const int64_t tasks = layout.slices * in.directions;
  const Floats partial(static_cast<size_t>(tasks * task.partial_size()));
  const int64_t states = 2 * layout.slices * layout.chunks;
  const Floats state(static_cast<size_t>(states));
  memset(state.data(), 0, static_cast<size_t>(states) * sizeof(int32_t));
  task.partial = partial.data();
  task.dx_state = reinterpret_cast<int32_t*>(state.data());
  const int64_t stripes = distinct != nullptr ? ceil_div(in.words, Backward::kZeroRows) : 0;
  workers.run(tasks + stripes, Backward::run, &task);
  SumTask sum{&task};
  workers.run(layout.blocks * in.directions, SumTask::run, &sum);
}

void backward(const Inputs& in, const Residuals& residuals, const OutputGradients& out,
              const InputGradients& gradients, Workers& workers) {
  const Layout layout(in);
  const PackedWeights weights(in, layout, true, workers);
  Backward task{&in,     &layout, &weights, &residuals,   &out,
                &gradients, nullptr, nullptr,  gradients.x, nullptr};
  if (in.tokens == nullptr) {
    run_backward(task, nullptr, workers);
    return;
  }
  const Distinct distinct(in, true);
  const int64_t places = in.batch * in.steps;
  if (shared(in, distinct)) {
    const Floats dz(static_cast<size_t>(in.directions * places * words(layout.gates)));
    task.dz_places = dz.data();
    run_backward(task, &distinct, workers);
    const Floats sums(static_cast<size_t>(in.directions * distinct.count * words(layout.gates)));
    const Floats rows(static_cast<size_t>(words(distinct.count) * layout.inputs));
    TokenTask token_task{&task, &distinct, sums.data(), rows.data()};
    workers.run(ceil_div(distinct.count, TokenTask::kTokens), TokenTask::run, &token_task);
    TokenWeightTask weight_task{&token_task};
    workers.run(layout.blocks * in.directions, TokenWeightTask::run, &weight_task);
  } else {
    const Floats dx(static_cast<size_t>(places * in.inputs));
    task.dx = dx.data();
    run_backward(task, &distinct, workers);
    ScatterTask scatter{&task, &distinct};
    workers.run(ceil_div(distinct.count, ScatterTask::kTokens), ScatterTask::run, &scatter);
  }
}

}  // namespace

extern const Lstm implementation;
const Lstm implementation = {SENTILAB_NAME, kWidth, kFactors == 2, forward, backward,
                             projected_size, project_table};

}  // namespace SENTILAB_ISA
}  // namespace sentilab
