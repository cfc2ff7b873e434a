#include "ngrams.h"

#include <algorithm>
#include <new>
#include <utility>

#include "own_threads.h"

namespace sentilab {
namespace {

// One n-gram at one place of a text. Counting replaces the number by the n-gram's serial number within
// its bucket, or by kRepeated.
struct Entry {
  uint32_t hash;
  int32_t text;
};

constexpr uint32_t kRepeated = 0xFFFFFFFFu;

// Entries with the same leading bits are one bucket, whose counting table stays in the cache. The texts
// are cut into chunks, which only share out the work: within a bucket the texts are in order.
constexpr int64_t kChunks = 16;

struct Distinct {
  uint32_t hash;
  int32_t frequency;
  int32_t last_text;
  int32_t feature;  // or -1
};

struct Counting {
  const Ngrams& of;
  int bits;
  std::vector<int64_t> starts;  // [buckets, chunks] and one: where the entries lie
  std::vector<Entry> entries;
  std::vector<std::vector<Distinct>> distinct;  // by bucket, then serial number
  std::vector<std::vector<uint32_t>> kept;      // by bucket: serial numbers, hashes ascending

  int64_t buckets() const { return int64_t{1} << bits; }
};

// Calls take(hash, text) for each n-gram of the chunk's texts, in the order of the texts.
template <typename Take>
void each_ngram(const Ngrams& of, int64_t chunk, Take take) {
  const int64_t first = of.texts * chunk / kChunks, last = of.texts * (chunk + 1) / kChunks;
  std::vector<uint32_t> before(static_cast<size_t>(of.orders));
  for (int64_t text = first; text < last; ++text) {
    const int32_t* ids = of.ids + text * of.length;
    std::fill(before.begin(), before.end(), 0u);
    for (int64_t at = 0; at < of.length; ++at) {
      if (ids[at] == 0 || ids[at] == 2) {
        std::fill(before.begin(), before.end(), 0u);
        continue;
      }
      const uint32_t word = static_cast<uint32_t>(ids[at]);
      // The longest first: each needs what the shorter one was at the position before. 0: none.
      for (size_t order = before.size(); order-- > 0;) {
        const uint32_t start = order ? before[order - 1] : 0;
        before[order] = order && !start ? 0 : ngram_hash(start, word);
        if (before[order]) take(before[order], static_cast<int32_t>(text));
      }
    }
  }
}

void measure(void* context, int64_t chunk) {
  Counting& all = *static_cast<Counting*>(context);
  std::vector<int64_t> sizes(static_cast<size_t>(all.buckets()));
  const int shift = 32 - all.bits;
  each_ngram(all.of, chunk, [&](uint32_t hash, int32_t) { ++sizes[hash >> shift]; });
  for (size_t b = 0; b < sizes.size(); ++b) {
    all.starts[b * kChunks + static_cast<size_t>(chunk) + 1] = sizes[b];
  }
}

void distribute(void* context, int64_t chunk) {
  Counting& all = *static_cast<Counting*>(context);
  std::vector<int64_t> next(static_cast<size_t>(all.buckets()));
  for (size_t b = 0; b < next.size(); ++b) {
    next[b] = all.starts[b * kChunks + static_cast<size_t>(chunk)];
  }
  const int shift = 32 - all.bits;
  each_ngram(all.of, chunk, [&](uint32_t hash, int32_t text) {
    all.entries[static_cast<size_t>(next[hash >> shift]++)] = {hash, text};
  });
}

// Open addressing; the cells hold serial numbers plus one.
void count(void* context, int64_t bucket) {
  Counting& all = *static_cast<Counting*>(context);
  Entry* entry = all.entries.data() + all.starts[static_cast<size_t>(bucket * kChunks)];
  Entry* end = all.entries.data() + all.starts[static_cast<size_t>((bucket + 1) * kChunks)];
  size_t size = 16;
  while (size < 2 * static_cast<size_t>(end - entry)) size *= 2;
  std::vector<uint32_t> cells(size);
  std::vector<Distinct> distinct;
  for (; entry != end; ++entry) {
    const uint32_t hash = entry->hash;
    // The leading bits are the same in all of the bucket.
    size_t cell = (hash * 0x9E3779B1u) & (size - 1);
    while (cells[cell] && distinct[cells[cell] - 1].hash != hash) cell = (cell + 1) & (size - 1);
    if (!cells[cell]) {
      distinct.push_back({hash, 0, -1, -1});
      cells[cell] = static_cast<uint32_t>(distinct.size());
    }
    Distinct& one = distinct[cells[cell] - 1];
    if (one.last_text == entry->text) {
      entry->hash = kRepeated;
    } else {
      entry->hash = cells[cell] - 1;
      one.last_text = entry->text;
      ++one.frequency;
    }
  }
  std::vector<uint32_t> kept;
  for (uint32_t serial = 0; serial < distinct.size(); ++serial) {
    if (distinct[serial].frequency >= all.of.least) kept.push_back(serial);
  }
  std::sort(kept.begin(), kept.end(),
            [&](uint32_t a, uint32_t b) { return distinct[a].hash < distinct[b].hash; });
  all.distinct[static_cast<size_t>(bucket)] = std::move(distinct);
  all.kept[static_cast<size_t>(bucket)] = std::move(kept);
}

// Numbers the features. Where there are too many, the most frequent stay, and of those on the border
// the ones with the lowest hashes.
void choose(Counting& all, NgramCounts& result) {
  std::vector<int64_t> with(static_cast<size_t>(all.of.texts) + 1);
  for (size_t b = 0; b < all.kept.size(); ++b) {
    for (uint32_t serial : all.kept[b]) {
      ++with[static_cast<size_t>(all.distinct[b][serial].frequency)];
    }
  }
  size_t border = with.size() - 1;
  int64_t left = all.of.features;
  while (border > 0 && with[border] <= left) left -= with[border--];
  for (size_t b = 0; b < all.kept.size(); ++b) {
    for (uint32_t serial : all.kept[b]) {
      Distinct& one = all.distinct[b][serial];
      const size_t frequency = static_cast<size_t>(one.frequency);
      if (frequency < border || (frequency == border && left-- <= 0)) continue;
      one.feature = static_cast<int32_t>(result.hashes.size());
      result.hashes.push_back(one.hash);
      result.frequencies.push_back(one.frequency);
    }
  }
}

// Buckets are in the order of their hashes, and so are features: only what a bucket adds to a text has
// to be sorted, which is one or two.
void fill(const Counting& all, NgramCounts& result) {
  const size_t texts = static_cast<size_t>(all.of.texts);
  result.starts.assign(texts + 1, 0);
  auto each = [&](auto take) {
    for (size_t b = 0; b < all.distinct.size(); ++b) {
      const std::vector<Distinct>& distinct = all.distinct[b];
      const int64_t end = all.starts[(b + 1) * kChunks];
      for (int64_t e = all.starts[b * kChunks]; e < end; ++e) {
        const Entry& entry = all.entries[static_cast<size_t>(e)];
        if (entry.hash == kRepeated) continue;
        const int32_t feature = distinct[entry.hash].feature;
        if (feature >= 0) take(static_cast<size_t>(entry.text), feature);
      }
    }
  };
  each([&](size_t text, int32_t) { ++result.starts[text + 1]; });
  for (size_t text = 0; text < texts; ++text) result.starts[text + 1] += result.starts[text];
  result.indices.resize(static_cast<size_t>(result.starts[texts]));
  std::vector<int64_t> next(result.starts.begin(), result.starts.end() - 1);
  each([&](size_t text, int32_t feature) {
    int64_t at = next[text]++;
    for (; at > result.starts[text]; --at) {
      const int32_t other = result.indices[static_cast<size_t>(at) - 1];
      if (other < feature) break;
      result.indices[static_cast<size_t>(at)] = other;
    }
    result.indices[static_cast<size_t>(at)] = feature;
  });
}

}  // namespace

NgramCounts count_ngrams(const Ngrams& of, Workers& workers) {
  Counting all{of, 1, {}, {}, {}, {}};
  // Some 50,000 entries a bucket; more buckets than 1,024 would be too many places to write to at once.
  while (all.bits < 10 && (of.texts * of.length * of.orders) >> all.bits > 50'000) ++all.bits;
  const size_t buckets = static_cast<size_t>(all.buckets());
  all.starts.resize(buckets * kChunks + 1);
  workers.run(kChunks, measure, &all);
  for (size_t i = 1; i < all.starts.size(); ++i) all.starts[i] += all.starts[i - 1];
  all.entries.resize(static_cast<size_t>(all.starts.back()));
  workers.run(kChunks, distribute, &all);
  all.distinct.resize(buckets);
  all.kept.resize(buckets);
  workers.run(all.buckets(), count, &all);
  NgramCounts result;
  choose(all, result);
  fill(all, result);
  return result;
}

}  // namespace sentilab

// ---- for callers without C++; kernels/ngrams.py has the same structures --------------------------

struct SentilabNgrams {
  const int32_t* ids;
  int64_t texts, length, orders, least, features;
};

struct SentilabNgramCounts {
  int64_t features, entries;
  const uint32_t* hashes;      // [features]
  const int32_t* frequencies;  // [features]
  const int64_t* starts;       // [texts + 1]
  const int32_t* indices;      // [entries]
  void* owner;
};

#define SENTILAB_EXPORT extern "C" __attribute__((visibility("default")))

// 0, or 1 where memory ran out. What is counted lasts until sentilab_ngrams_free.
SENTILAB_EXPORT int sentilab_ngrams_count(const SentilabNgrams* call, SentilabNgramCounts* counts,
                                          int threads) {
  try {
    sentilab::OwnThreads workers(threads);
    auto* found = new sentilab::NgramCounts(sentilab::count_ngrams(
        {call->ids, call->texts, call->length, call->orders, call->least, call->features},
        workers));
    *counts = {static_cast<int64_t>(found->hashes.size()),
               static_cast<int64_t>(found->indices.size()),
               found->hashes.data(),
               found->frequencies.data(),
               found->starts.data(),
               found->indices.data(),
               found};
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

SENTILAB_EXPORT void sentilab_ngrams_free(SentilabNgramCounts* counts) {
  delete static_cast<sentilab::NgramCounts*>(counts->owner);
}
