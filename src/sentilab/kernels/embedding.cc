#include "embedding.h"

#include <algorithm>
#include <cmath>

namespace sentilab {
namespace {

constexpr int64_t kPositions = 256;  // a task

void read(void* context, int64_t number) {
  const Embedding& of = *static_cast<const Embedding*>(context);
  const int64_t first = number * kPositions, last = std::min(first + kPositions, of.positions);
  for (int64_t position = first; position < last; ++position) {
    const int64_t id = of.ids[position];
    float* to = of.result + position * of.width;
    if (id < 0 || id >= of.rows) {
      std::fill(to, to + of.width, NAN);
    } else {
      std::copy(of.table + id * of.width, of.table + (id + 1) * of.width, to);
    }
  }
}

// Each task reads all ids and owns a range of rows: many share the work well, few read less.
constexpr int64_t kTasks = 16;

inline __attribute__((always_inline)) void range(const EmbeddingGradient& of, int64_t number) {
  const int64_t first = of.rows * number / kTasks, last = of.rows * (number + 1) / kTasks;
  std::fill(of.result + first * of.width, of.result + last * of.width, 0.0f);
  for (int64_t position = 0; position < of.positions; ++position) {
    const int64_t id = of.ids[position];
    if (id < first || id >= last) continue;
    float* __restrict to = of.result + id * of.width;
    const float* from = of.dy + position * of.width;
    for (int64_t i = 0; i < of.width; ++i) to[i] += from[i];
  }
}

#ifdef SENTILAB_X86
__attribute__((target("avx512f"))) void range_avx512(const EmbeddingGradient& of, int64_t number) {
  range(of, number);
}
__attribute__((target("avx2,fma"))) void range_avx2(const EmbeddingGradient& of, int64_t number) {
  range(of, number);
}
#endif
void range_portable(const EmbeddingGradient& of, int64_t number) { range(of, number); }

void add(void* context, int64_t number) {
  const EmbeddingGradient& of = *static_cast<const EmbeddingGradient*>(context);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return range_avx512(of, number);
  if (lstm().width == 8) return range_avx2(of, number);
#endif
  range_portable(of, number);
}

}  // namespace

void embedding(const Embedding& of, Workers& workers) {
  Embedding copy = of;
  workers.run((of.positions + kPositions - 1) / kPositions, read, &copy);
}

void embedding_gradient(const EmbeddingGradient& of, Workers& workers) {
  EmbeddingGradient copy = of;
  workers.run(kTasks, add, &copy);
}

}  // namespace sentilab
