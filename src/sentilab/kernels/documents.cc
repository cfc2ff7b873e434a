#include "documents.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "own_threads.h"

namespace sentilab {
namespace {

constexpr int64_t kBatch = 64;   // texts
constexpr int64_t kShards = 32;  // of the features, by their number: each one's updates keep their order
constexpr int kLanes = 16;       // sums side by side, whatever the instruction set
constexpr float kLeast = 1e-20f;

// SplitMix64 (Steele, Lea and Flood 2014).
inline uint64_t next_random(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// A number below `below`, which is far below 2^64.
inline int64_t drawn(uint64_t& state, int64_t below) {
  return static_cast<int64_t>(next_random(state) % static_cast<uint64_t>(below));
}

struct Pair {
  int32_t feature;
  bool together;
};

struct Pass {
  const Documents& of;
  int64_t first;                         // text of the batch, in the order of reading
  std::vector<std::vector<Pair>> pairs;  // [texts of the batch, shards]

  int64_t texts() const { return std::min(kBatch, of.texts - first); }
  int64_t text(int64_t slot) const { return of.order[first + slot]; }
  float rate(int64_t slot) const {
    const float done = static_cast<float>(first + slot) / static_cast<float>(of.texts);
    return of.first_rate + (of.last_rate - of.first_rate) * done;
  }
};

inline __attribute__((always_inline)) float sum(const float* lanes) {
  float total = 0;
  for (int l = 0; l < kLanes; ++l) total += lanes[l];
  return total;
}

// Moves `a` along the gradient of log sigmoid(± sharpness cos(a, b)), `rate` far.
inline __attribute__((always_inline)) void move(float* __restrict a, const float* __restrict b,
                                                int64_t size, bool together, float sharpness,
                                                float rate) {
  float dots[kLanes] = {}, squares_a[kLanes] = {}, squares_b[kLanes] = {};
  for (int64_t i = 0; i < size; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      dots[l] += a[i + l] * b[i + l];
      squares_a[l] += a[i + l] * a[i + l];
      squares_b[l] += b[i + l] * b[i + l];
    }
  }
  const float square = sum(squares_a) + kLeast;
  const float inverse = 1.0f / std::sqrt(square * (sum(squares_b) + kLeast));
  const float cosine = sum(dots) * inverse;
  const float likely = 1.0f / (1.0f + std::exp(-sharpness * cosine));
  const float along = rate * sharpness * ((together ? 1.0f : 0.0f) - likely);
  const float of_b = along * inverse, of_a = 1.0f - along * cosine / square;
  for (int64_t i = 0; i < size; ++i) a[i] = of_a * a[i] + of_b * b[i];
}

// One text's vector, against its features and those drawn; they are kept for the features' turn.
inline __attribute__((always_inline)) void move_text(Pass& pass, int64_t slot) {
  const Documents& of = pass.of;
  const int64_t text = pass.text(slot), first = of.starts[text], last = of.starts[text + 1];
  float* vector = of.text_vectors + text * of.size;
  const float rate = pass.rate(slot);
  uint64_t state = of.seed ^ (static_cast<uint64_t>(text) * 0xD1342543DE82EF95u);
  std::vector<Pair>* pairs = pass.pairs.data() + slot * kShards;
  for (int64_t s = 0; s < kShards; ++s) pairs[s].clear();
  auto meet = [&](int32_t feature, bool together) {
    move(vector, of.feature_vectors + feature * of.size, of.size, together, of.sharpness, rate);
    pairs[feature % kShards].push_back({feature, together});
  };
  for (int64_t at = first; at < last; ++at) {
    meet(of.indices[at], true);
    for (int64_t n = 0; n < of.negatives; ++n) {
      meet(of.indices[drawn(state, of.starts[of.texts])], false);
    }
  }
}

// All features of one shard, against the texts of the batch one after another.
inline __attribute__((always_inline)) void move_features(Pass& pass, int64_t shard) {
  const Documents& of = pass.of;
  for (int64_t slot = 0; slot < pass.texts(); ++slot) {
    const float* vector = of.text_vectors + pass.text(slot) * of.size;
    const float rate = pass.rate(slot);
    for (const Pair& one : pass.pairs[static_cast<size_t>(slot * kShards + shard)]) {
      move(of.feature_vectors + one.feature * of.size, vector, of.size, one.together, of.sharpness,
           rate);
    }
  }
}

#ifdef SENTILAB_X86
__attribute__((target("avx512f,fma"))) void text_avx512(Pass& pass, int64_t slot) {
  move_text(pass, slot);
}
__attribute__((target("avx2,fma"))) void text_avx2(Pass& pass, int64_t slot) {
  move_text(pass, slot);
}
__attribute__((target("avx512f,fma"))) void features_avx512(Pass& pass, int64_t shard) {
  move_features(pass, shard);
}
__attribute__((target("avx2,fma"))) void features_avx2(Pass& pass, int64_t shard) {
  move_features(pass, shard);
}
#endif
void text_portable(Pass& pass, int64_t slot) { move_text(pass, slot); }
void features_portable(Pass& pass, int64_t shard) { move_features(pass, shard); }

void text_task(void* context, int64_t slot) {
  Pass& pass = *static_cast<Pass*>(context);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return text_avx512(pass, slot);
  if (lstm().width == 8) return text_avx2(pass, slot);
#endif
  text_portable(pass, slot);
}

void features_task(void* context, int64_t shard) {
  Pass& pass = *static_cast<Pass*>(context);
#ifdef SENTILAB_X86
  if (lstm().width == 16) return features_avx512(pass, shard);
  if (lstm().width == 8) return features_avx2(pass, shard);
#endif
  features_portable(pass, shard);
}

}  // namespace

void learn_documents(const Documents& of, Workers& workers) {
  Pass pass{of, 0, std::vector<std::vector<Pair>>(kBatch * kShards)};
  for (; pass.first < of.texts; pass.first += kBatch) {
    workers.run(pass.texts(), text_task, &pass);
    workers.run(kShards, features_task, &pass);
  }
}

}  // namespace sentilab

// ---- for callers without C++; kernels/documents.py has the same structure ------------------------

struct SentilabDocuments {
  const int64_t* starts;
  const int32_t* indices;
  const int32_t* order;
  int64_t texts, features, size;
  float* text_vectors;
  float* feature_vectors;
  float sharpness;
  int64_t negatives;
  float first_rate, last_rate;
  uint64_t seed;
};

// 0, or 1 where memory ran out.
extern "C" __attribute__((visibility("default"))) int sentilab_learn_documents(
    const SentilabDocuments* call, int threads) {
  try {
    sentilab::OwnThreads workers(threads);
    sentilab::learn_documents(
        {call->starts, call->indices, call->order, call->texts, call->features, call->size,
         call->text_vectors, call->feature_vectors, call->sharpness, call->negatives,
         call->first_rate, call->last_rate, call->seed},
        workers);
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}
