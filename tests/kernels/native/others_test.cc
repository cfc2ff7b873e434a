// Adam, the dense layer, the embedding and n-grams against plain loops, on every instruction set of this
// processor, on one thread and on three; that document vectors are the same on all of them (a test in
// Python holds them against plain loops); and what the memory pool finds again.

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adam.h"
#include "dense.h"
#include "documents.h"
#include "embedding.h"
#include "memory.h"
#include "ngrams.h"

namespace {

using Floats = std::vector<float>;

class Threads final : public sentilab::Workers {
 public:
  explicit Threads(int threads) : threads_(threads) {}
  void run(int64_t tasks, Task task, void* context) override {
    std::atomic<int64_t> next{0};
    auto work = [&] {
      for (int64_t n = next++; n < tasks; n = next++) task(context, n);
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads_; ++t) others.emplace_back(work);
    work();
    for (std::thread& one : others) one.join();
  }

 private:
  const int threads_;
};

Floats drawn(int64_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  Floats all(static_cast<size_t>(count));
  for (float& one : all) one = static_cast<float>(engine()) * 0x1p-31f - 1.0f;
  return all;
}

// Whether |found - exact| stays below `allowed`; NaN does not.
bool near(const Floats& found, const std::vector<double>& exact, double allowed) {
  for (size_t i = 0; i < found.size(); ++i) {
    if (!(fabs(found[i] - exact[i]) <= allowed)) return false;
  }
  return true;
}

bool adam_is_right(int64_t count, sentilab::Workers& workers, bool in_place) {
  Floats p = drawn(count, 1), m = drawn(count, 2), v = drawn(count, 3), g = drawn(count, 4);
  for (float& one : v) one = fabsf(one);
  std::vector<double> wanted[3];
  for (std::vector<double>& one : wanted) one.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < p.size(); ++i) {
    const double gradient = g[i];
    wanted[1][i] = m[i] + (gradient - m[i]) * 0.1f;
    wanted[2][i] = v[i] + (gradient * gradient - v[i]) * 0.001f;
    wanted[0][i] = p[i] - wanted[1][i] * 0.01f / (sqrt(wanted[2][i]) + 1e-7f);
  }
  Floats new_p(p.size()), new_m(p.size()), new_v(p.size());
  Floats &to_p = in_place ? p : new_p, &to_m = in_place ? m : new_m, &to_v = in_place ? v : new_v;
  sentilab::adam({p.data(), m.data(), v.data(), g.data(), to_p.data(), to_m.data(), to_v.data(),
                  count, 0.01f, 0.1f, 0.001f, 1e-7f},
                 workers);
  // A few roundings of numbers below 2; where v is nearly 0 the quotient is as large as 0.01 / 1e-3.
  return near(to_p, wanted[0], 1e-5) && near(to_m, wanted[1], 5e-7) && near(to_v, wanted[2], 5e-7);
}

// Where the number for row r and column c of a factor lies: in rows of `columns`, or transposed.
double at(const Floats& of, int64_t r, int64_t c, int64_t rows, int64_t columns, bool transposed) {
  return of[static_cast<size_t>(transposed ? c * rows + r : r * columns + c)];
}

// left [rows, depth] right [depth, columns], each stored as it is or transposed.
std::vector<double> product(const Floats& left, bool left_transposed, const Floats& right,
                            bool right_transposed, int64_t rows, int64_t depth, int64_t columns) {
  std::vector<double> result;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < depth; ++i) {
        sum += at(left, r, i, rows, depth, left_transposed) *
               at(right, i, c, depth, columns, right_transposed);
      }
      result.push_back(sum);
    }
  }
  return result;
}

bool dense_is_right(const sentilab::DenseSizes& sizes, sentilab::Workers& workers) {
  const auto [batch, inputs, units] = sizes;
  const Floats x = drawn(batch * inputs, 1), w = drawn(inputs * units, 2), dy = drawn(batch * units, 3);
  Floats y(dy.size(), NAN), dx(x.size(), NAN), dw(w.size(), NAN);
  sentilab::dense(x.data(), w.data(), sizes, y.data(), workers);
  sentilab::dense_by_input(dy.data(), w.data(), sizes, dx.data(), workers);
  sentilab::dense_by_weights(x.data(), dy.data(), sizes, dw.data(), workers);
  // Each of `terms` roundings is 6e-8 of a partial sum, below 2 sqrt(terms) nearly always; they add as
  // a random walk does, to sqrt(terms) of them.
  const auto allowed = [](int64_t terms) { return 6e-8 * 2 * static_cast<double>(terms) + 1e-7; };
  return near(y, product(x, false, w, false, batch, inputs, units), allowed(inputs)) &&
         near(dx, product(dy, false, w, true, batch, units, inputs), allowed(units)) &&
         near(dw, product(x, true, dy, false, inputs, batch, units), allowed(batch));
}

// Ids in an order of their own, some of them outside the table; the sums are exact in their order.
bool embedding_is_right(int64_t positions, int64_t rows, int64_t width,
                        sentilab::Workers& workers) {
  std::mt19937 engine(1);
  std::vector<int32_t> ids(static_cast<size_t>(positions));
  for (int32_t& id : ids) id = static_cast<int32_t>(engine() % static_cast<uint32_t>(rows + 2)) - 1;
  const Floats dy = drawn(positions * width, 2), table = drawn(rows * width, 3);
  Floats found(static_cast<size_t>(rows * width), NAN), wanted(found.size());
  for (size_t p = 0; p < ids.size(); ++p) {
    if (ids[p] < 0 || ids[p] >= rows) continue;
    for (size_t i = 0; i < static_cast<size_t>(width); ++i) {
      wanted[static_cast<size_t>(ids[p]) * static_cast<size_t>(width) + i] +=
          dy[p * static_cast<size_t>(width) + i];
    }
  }
  sentilab::embedding_gradient({ids.data(), dy.data(), positions, rows, width, found.data()}, workers);
  if (found != wanted) return false;

  Floats read(dy.size(), 0);
  sentilab::embedding({table.data(), ids.data(), positions, rows, width, read.data()}, workers);
  for (size_t i = 0; i < read.size(); ++i) {
    const int64_t id = ids[i / static_cast<size_t>(width)];
    const bool outside = id < 0 || id >= rows;
    const size_t from = static_cast<size_t>(id * width) + i % static_cast<size_t>(width);
    if (outside ? !std::isnan(read[i]) : read[i] != table[from]) return false;
  }
  return true;
}

// As many as a batch's distinct words make them, a little more or less each time.
bool sizes_that_differ_a_little_share_a_block() {
  void* first = sentilab::take_memory(1000000);
  sentilab::give_memory(first, 1000000);
  bool right = true;
  for (size_t bytes : {990000, 1010000, 985000, 1000001}) {
    void* again = sentilab::take_memory(bytes);
    right = right && again == first;
    sentilab::give_memory(again, bytes);
  }
  return right;
}

// Each n-gram's texts by its words themselves; then by its number, which no two of these share.
bool ngrams_are_right(const sentilab::Ngrams& of, sentilab::Workers& workers) {
  std::map<std::vector<int32_t>, std::vector<int64_t>> texts_of;
  for (int64_t text = 0; text < of.texts; ++text) {
    for (int64_t start = 0; start < of.length; ++start) {
      std::vector<int32_t> words;
      for (int64_t at = start; at < of.length && at - start < of.orders; ++at) {
        const int32_t word = of.ids[text * of.length + at];
        if (word == 0 || word == 2) break;
        words.push_back(word);
        std::vector<int64_t>& texts = texts_of[words];
        if (texts.empty() || texts.back() != text) texts.push_back(text);
      }
    }
  }
  std::map<uint32_t, std::vector<int64_t>> kept;
  for (const auto& one : texts_of) {
    if (static_cast<int64_t>(one.second.size()) < of.least) continue;
    uint32_t hash = 0;
    for (int32_t word : one.first) hash = sentilab::ngram_hash(hash, static_cast<uint32_t>(word));
    kept[hash] = one.second;
  }
  if (static_cast<int64_t>(kept.size()) > of.features) {
    std::vector<std::pair<int64_t, uint32_t>> order;
    for (const auto& one : kept) order.push_back({-static_cast<int64_t>(one.second.size()), one.first});
    std::sort(order.begin(), order.end());
    for (size_t i = static_cast<size_t>(of.features); i < order.size(); ++i) kept.erase(order[i].second);
  }
  const sentilab::NgramCounts found = sentilab::count_ngrams(of, workers);
  if (found.hashes.size() != kept.size()) return false;
  std::vector<std::vector<int32_t>> features(static_cast<size_t>(of.texts));
  int32_t feature = 0;
  for (const auto& one : kept) {
    const size_t f = static_cast<size_t>(feature);
    if (found.hashes[f] != one.first) return false;
    if (found.frequencies[f] != static_cast<int32_t>(one.second.size())) return false;
    for (int64_t text : one.second) features[static_cast<size_t>(text)].push_back(feature);
    ++feature;
  }
  std::vector<int32_t> indices;
  for (size_t text = 0; text < features.size(); ++text) {
    if (found.starts[text] != static_cast<int64_t>(indices.size())) return false;
    indices.insert(indices.end(), features[text].begin(), features[text].end());
  }
  return found.indices == indices;
}

bool drawn_ngrams_are_right(int64_t texts, int64_t length, int32_t words, sentilab::Workers& workers) {
  std::mt19937 engine(7);
  std::vector<int32_t> ids(static_cast<size_t>(texts * length));
  for (int32_t& one : ids) one = static_cast<int32_t>(engine() % static_cast<uint32_t>(words));
  bool right = true;
  for (int64_t features : {int64_t{50}, int64_t{1} << 31}) {
    right = right && ngrams_are_right({ids.data(), texts, length, 3, 2, features}, workers) &&
            ngrams_are_right({ids.data(), texts, length, 1, 1, features}, workers);
  }
  return right;
}

// The vectors of texts and features after two passes over more texts than a batch has.
Floats learned_documents(sentilab::Workers& workers) {
  constexpr int64_t kTexts = 150, kFeatures = 70, kSize = 32;
  std::mt19937 engine(3);
  std::vector<int64_t> starts{0};
  std::vector<int32_t> indices, order;
  for (int32_t text = 0; text < kTexts; ++text) {
    for (int32_t feature = 0; feature < kFeatures; ++feature) {
      if (engine() % 5 == 0) indices.push_back(feature);
    }
    starts.push_back(static_cast<int64_t>(indices.size()));
    order.push_back(text);
  }
  Floats vectors = drawn((kTexts + kFeatures) * kSize, 5);
  for (uint64_t pass = 0; pass < 2; ++pass) {
    std::shuffle(order.begin(), order.end(), engine);
    sentilab::learn_documents({starts.data(), indices.data(), order.data(), kTexts, kFeatures, kSize,
                               vectors.data(), vectors.data() + kTexts * kSize, 6.0f, 2, 0.01f, 0.005f,
                               pass},
                              workers);
  }
  return vectors;
}

}  // namespace

int main() {
  int passed = 0, failed = 0;
  auto add = [&](const std::string& name, bool right) {
    printf("%s  %s\n", right ? "passed" : "FAILED", name.c_str());
    ++(right ? passed : failed);
  };
  std::vector<double> documents;
  for (const char* isa : {"avx512", "avx2", "neon", "portable"}) {
    if (!sentilab::choose_lstm(isa)) continue;
    Floats on_one_thread;
    for (int threads : {1, 3}) {
      Threads workers(threads);
      const std::string where = std::string(isa) + ", " + std::to_string(threads) + " threads: ";
      bool right = true;
      for (int64_t count : {1, 15, 16, 17, 1000, 70001}) {
        right = right && adam_is_right(count, workers, false) && adam_is_right(count, workers, true);
      }
      add(where + "Adam's step, in place and not", right);
      right = true;
      for (const sentilab::DenseSizes& sizes :
           {sentilab::DenseSizes{1, 1, 1}, {33, 301, 83}, {130, 65, 64}, {64, 64, 16}, {7, 1100, 150}}) {
        right = right && dense_is_right(sizes, workers);
      }
      add(where + "a dense layer and its gradients", right);
      right = embedding_is_right(1, 1, 1, workers) && embedding_is_right(500, 5, 33, workers) &&
              embedding_is_right(300, 1000, 128, workers);
      add(where + "reading a table's rows, and its gradient", right);
      const Floats vectors = learned_documents(workers);
      if (on_one_thread.empty()) on_one_thread = vectors;
      if (documents.empty()) documents.assign(vectors.begin(), vectors.end());
      // Instruction sets round products that are added up in one step or in two.
      add(where + "document vectors, the same on any threads and instruction set",
          vectors == on_one_thread && near(vectors, documents, 1e-4));
    }
  }
  for (int threads : {1, 3}) {
    Threads workers(threads);
    add(std::to_string(threads) + " threads: which texts have which n-grams",
        drawn_ngrams_are_right(0, 5, 9, workers) && drawn_ngrams_are_right(40, 30, 9, workers) &&
            drawn_ngrams_are_right(300, 70, 2000, workers));
  }
  add("memory: sizes that differ a little share a block",
      sizes_that_differ_a_little_share_a_block());
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
