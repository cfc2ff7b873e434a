// The kernel against a plain float64 LSTM, on every instruction set of this processor.
//
//   lstm_test [cases [seed]]     random cases (default 60) drawn from the seed (default 1)

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lstm.h"
#include "memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
// Fresh memory is NaN, so that scratch that is read before it is written shows in the results.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "malloc_fill_byte=255:max_malloc_fill_size=1073741824";
}
#endif

namespace {

using sentilab::Lstm;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

// The standard's distributions differ from library to library; these do not.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool one_in(int64_t n) { return between(1, n) == 1; }
  double symmetric(double bound) {
    return bound * (static_cast<double>(engine_() >> 11) * 0x1p-52 - 1.0);
  }
  template <class T>
  std::vector<T> numbers(int64_t count, double bound) {
    std::vector<T> drawn(static_cast<size_t>(count));
    for (T& one : drawn) one = static_cast<T>(static_cast<float>(symmetric(bound)));
    return drawn;
  }

 private:
  std::mt19937_64 engine_;
};

// ---- cases -----------------------------------------------------------------------------------

enum class Mask { kNone, kRandom, kLeftPadded, kRightPadded, kAllMasked, kNoneMasked };
const char* const kMaskNames[] = {"none",         "random",     "left-padded",
                                  "right-padded", "all masked", "none masked"};

struct Case {
  int64_t batch = 1, steps = 1, inputs = 1, units = 1;
  int directions = 1;
  bool reverse[2] = {false, true};
  int64_t words = 0;     // of the table; 0: x is given
  int64_t distinct = 0;  // tokens are drawn from so many of the words
  Mask mask = Mask::kNone;
  bool zero_masked = false, bias = true, h0 = false, c0 = false, y = true, dy = true;
  bool recurrent_dropout = false, bf16 = false;
  double gain = 1;  // of the weights; beyond 1 gates saturate

  int64_t multiplications() const {
    return batch * steps * directions * (inputs + units) * 4 * units;
  }

  std::string words_for_it() const {
    char line[400];
    snprintf(line, sizeof line,
             "batch %lld, steps %lld, inputs %lld, units %lld, directions %d (reverse %d %d), "
             "words %lld (%lld distinct), mask %s%s, bias %d, h0 %d, c0 %d, y %d, dy %d, "
             "recurrent dropout %d, gain %g%s",
             static_cast<long long>(batch), static_cast<long long>(steps),
             static_cast<long long>(inputs), static_cast<long long>(units), directions,
             reverse[0], reverse[1], static_cast<long long>(words),
             static_cast<long long>(distinct), kMaskNames[static_cast<int>(mask)],
             zero_masked ? " to zero" : "", bias, h0, c0, y, dy, recurrent_dropout, gain,
             bf16 ? ", bf16" : "");
    return line;
  }
};

int64_t draw_size(Random& random, int64_t greatest) {
  return random.between(1, random.one_in(2) ? std::min<int64_t>(greatest, 9) : greatest);
}

// Large sizes are drawn as often as small ones; where their product is more than the reference
// should take time for, batch and steps give way.
Case draw_case(Random& random) {
  Case one;
  one.batch = draw_size(random, 70);
  one.steps = draw_size(random, 40);
  one.inputs = draw_size(random, 70);
  one.units = draw_size(random, 140);
  one.directions = random.one_in(2) ? 2 : 1;
  for (bool& reverse : one.reverse) reverse = random.one_in(2);
  while (one.multiplications() > 6000000) {
    int64_t& size = one.batch > 1 && (one.steps == 1 || random.one_in(2)) ? one.batch : one.steps;
    size = (size + 1) / 2;
  }
  if (random.one_in(2)) {
    one.words = random.between(1, 300);
    one.distinct = random.one_in(2) ? std::min<int64_t>(one.words, 5) : one.words;
  }
  if (!random.one_in(3)) one.mask = static_cast<Mask>(random.between(1, 5));
  one.zero_masked = random.one_in(2);
  one.bias = !random.one_in(3);
  one.h0 = random.one_in(2);
  one.c0 = random.one_in(2);
  one.y = !random.one_in(3);
  one.dy = one.y && !random.one_in(4);
  one.recurrent_dropout = random.one_in(3);
  // A saturated cell multiplies a difference from step to step; few steps keep that in bounds.
  if (one.steps <= 3 && random.one_in(3)) one.gain = 8;
  return one;
}

// Sizes just beyond each of the kernel's own: of slices, chunks, depths and groups of tokens.
std::vector<Case> chosen_cases() {
  std::vector<Case> cases;
  auto add = [&](int64_t batch, int64_t steps, int64_t inputs, int64_t units, int directions,
                 int64_t words, Mask mask) {
    Case one;
    one.batch = batch;
    one.steps = steps;
    one.inputs = inputs;
    one.units = units;
    one.directions = directions;
    one.words = one.distinct = words;
    one.mask = mask;
    one.h0 = one.c0 = mask != Mask::kNone;
    one.recurrent_dropout = cases.size() % 2 == 1;
    cases.push_back(one);
  };
  add(1, 1, 1, 1, 1, 0, Mask::kNone);
  add(70, 2, 65, 129, 2, 0, Mask::kRandom);
  add(70, 3, 70, 140, 1, 0, Mask::kNone);
  add(33, 5, 3, 97, 2, 0, Mask::kLeftPadded);
  add(1, 40, 2, 65, 2, 0, Mask::kRightPadded);
  add(150, 9, 2, 3, 2, 0, Mask::kRandom);    // more slices than there may be
  add(1050, 3, 1, 2, 2, 0, Mask::kNone);     // a chunk is one step
  add(1, 150, 1, 2, 2, 0, Mask::kRandom);    // a text of more than one chunk
  add(70, 40, 2, 3, 2, 200, Mask::kRandom);  // shared, more than 96 and than 64 tokens
  add(40, 10, 2, 3, 1, 9000, Mask::kNone);   // not shared, a table zeroed in several tasks
  add(20, 20, 66, 5, 2, 4097, Mask::kNone);
  add(3, 30, 66, 67, 2, 3, Mask::kLeftPadded);
  return cases;
}

// One direction's weights and initial state, or their gradients; recurrent dropout has none.
template <class T>
struct Weights {
  std::vector<T> kernel, recurrent_kernel, bias, h0, c0, recurrent_dropout;
};

// A case with its numbers; what is not given is empty.
template <class T>
struct Problem {
  Case sizes;
  Weights<T> direction[2];
  std::vector<T> x, table;
  std::vector<int32_t> tokens;
  std::vector<uint8_t> mask;
  std::vector<T> dy, dh, dc;
};

constexpr double kKept = 1.5;  // recurrent dropout's factor of what it does not drop

template <class T>
Problem<T> draw_problem(const Case& one, Random& random) {
  Problem<T> problem;
  problem.sizes = one;
  const int64_t places = one.batch * one.steps, columns = 4 * one.units;
  for (int d = 0; d < one.directions; ++d) {
    Weights<T>& to = problem.direction[d];
    to.kernel = random.numbers<T>(one.inputs * columns,
                                  one.gain / sqrt(static_cast<double>(one.inputs)));
    to.recurrent_kernel = random.numbers<T>(one.units * columns,
                                            one.gain / sqrt(static_cast<double>(one.units)));
    if (one.bias) to.bias = random.numbers<T>(columns, 1);
    if (one.h0) to.h0 = random.numbers<T>(one.batch * one.units, 1);
    if (one.c0) to.c0 = random.numbers<T>(one.batch * one.units, 2);
    for (int64_t n = 0; one.recurrent_dropout && n < 4 * one.batch * one.units; ++n) {
      to.recurrent_dropout.push_back(random.one_in(3) ? 0 : T(kKept));
    }
  }
  if (one.words == 0) {
    problem.x = random.numbers<T>(places * one.inputs, 1);
  } else {
    problem.table = random.numbers<T>(one.words * one.inputs, 1);
    for (int64_t p = 0; p < places; ++p) {
      const int64_t word = random.between(1, one.distinct) * one.words / one.distinct - 1;
      problem.tokens.push_back(
          static_cast<int32_t>(random.one_in(3) ? word - one.words : word));
    }
  }
  if (one.mask != Mask::kNone) {
    for (int64_t text = 0; text < one.batch; ++text) {
      const int64_t length = random.between(0, one.steps);
      for (int64_t step = 0; step < one.steps; ++step) {
        bool read = one.mask == Mask::kNoneMasked;
        if (one.mask == Mask::kRandom) read = random.one_in(2);
        if (one.mask == Mask::kLeftPadded) read = step >= one.steps - length;
        if (one.mask == Mask::kRightPadded) read = step < length;
        problem.mask.push_back(read ? static_cast<uint8_t>(random.between(1, 255)) : 0);
      }
    }
  }
  const int64_t states = one.directions * one.units;
  if (one.dy) problem.dy = random.numbers<T>(places * states, 1);
  problem.dh = random.numbers<T>(one.batch * states, 1);
  problem.dc = random.numbers<T>(one.batch * states, 1);
  return problem;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& from) {
  return std::vector<double>(from.begin(), from.end());
}

Problem<double> in_float64(const Problem<float>& from) {
  Problem<double> to;
  to.sizes = from.sizes;
  for (int d = 0; d < 2; ++d) {
    const Weights<float>& one = from.direction[d];
    to.direction[d] = {doubles(one.kernel), doubles(one.recurrent_kernel), doubles(one.bias),
                       doubles(one.h0), doubles(one.c0), doubles(one.recurrent_dropout)};
  }
  to.x = doubles(from.x);
  to.table = doubles(from.table);
  to.tokens = from.tokens;
  to.mask = from.mask;
  to.dy = doubles(from.dy);
  to.dh = doubles(from.dh);
  to.dc = doubles(from.dc);
  return to;
}

// Everything that a forward and a backward pass compute.
template <class T>
struct Outcome {
  std::vector<T> y, h, c, dx, dtable;
  Weights<T> gradient[2];
};

constexpr size_t kOutputs = 3;  // the others are gradients
const char* const kArrays[] = {"y",        "h",     "c",      "dx",     "dtable",
                               "dW",       "dU",    "dbias",  "dh0",    "dc0",
                               "dW (2)",   "dU (2)", "dbias (2)", "dh0 (2)", "dc0 (2)"};

template <class T>
std::vector<const std::vector<T>*> arrays_of(const Outcome<T>& from) {
  const Weights<T>&one = from.gradient[0], &two = from.gradient[1];
  return {&from.y,     &from.h, &from.c,   &from.dx,    &from.dtable,
          &one.kernel, &one.recurrent_kernel, &one.bias, &one.h0, &one.c0,
          &two.kernel, &two.recurrent_kernel, &two.bias, &two.h0, &two.c0};
}

// ---- the reference ---------------------------------------------------------------------------

struct Reference {
  Outcome<double> values;
  // Of each array: the largest sum of absolute values that an element of it is made of, or what
  // Cauchy and Schwarz bound that by. Near saturation 1 - o is made of 1 and o: it counts as 1.
  Outcome<double> magnitudes;
  double loss = 0;  // y dy + h dh + c dc: the gradients are its
};

void add_times(double factor, const double* from, int64_t count, double* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

double largest_norm(const std::vector<double>& rows, int64_t width) {
  double largest = 0;
  for (size_t at = 0; at < rows.size(); at += static_cast<size_t>(width)) {
    largest = std::max(largest, dot(rows.data() + at, rows.data() + at, width));
  }
  return sqrt(largest);
}

double largest_column(const std::vector<double>& rows, int64_t width) {
  std::vector<double> sums(static_cast<size_t>(width));
  for (size_t at = 0; at < rows.size(); ++at) {
    sums[at % static_cast<size_t>(width)] += fabs(rows[at]);
  }
  return *std::max_element(sums.begin(), sums.end());
}

double largest_root(const std::vector<double>& squares) {
  return sqrt(*std::max_element(squares.begin(), squares.end()));
}

double sigmoid(double z) { return 1 / (1 + exp(-z)); }

void raise(std::vector<double>& magnitude, double to) {
  magnitude.resize(1);
  magnitude[0] = std::max(magnitude[0], to);
}

// To the nearest of bfloat16's numbers, which are float32's first halves; to even where two are.
double bfloat16(double number) {
  const float single = static_cast<float>(number);
  uint32_t bits = 0;
  memcpy(&bits, &single, sizeof bits);
  bits += 0x7fff + (bits >> 16 & 1);
  bits &= 0xffff0000;
  float rounded = 0;
  memcpy(&rounded, &bits, sizeof rounded);
  return static_cast<double>(rounded);
}

// The equations of lstm.h, one text after the other. With bf16 the factors of products are rounded
// where the kernel rounds them.
Reference reference(Problem<double> problem) {
  const Case& size = problem.sizes;
  auto factor = [&](double number) { return size.bf16 ? bfloat16(number) : number; };
  for (std::vector<double>* factors :
       {&problem.x, &problem.table, &problem.direction[0].kernel, &problem.direction[1].kernel,
        &problem.direction[0].recurrent_kernel, &problem.direction[1].recurrent_kernel}) {
    for (double& one : *factors) one = factor(one);
  }
  const int64_t steps = size.steps, inputs = size.inputs, units = size.units;
  const int64_t columns = 4 * units, width = size.directions * units;
  auto zeros = [](int64_t count) { return std::vector<double>(static_cast<size_t>(count)); };

  Reference all;
  Outcome<double>& to = all.values;
  Outcome<double>& magnitudes = all.magnitudes;
  if (size.y) to.y = zeros(size.batch * steps * width);
  to.h = zeros(size.batch * width);
  to.c = zeros(size.batch * width);
  to.dx = zeros(problem.tokens.empty() ? size.batch * steps * inputs : 0);
  to.dtable = zeros(size.words * inputs);
  std::vector<double> table_magnitude = zeros(size.words);

  for (int d = 0; d < size.directions; ++d) {
    const Weights<double>& weights = problem.direction[d];
    const double* kernel = weights.kernel.data();
    const double* recurrent = weights.recurrent_kernel.data();
    Weights<double>& gradient = to.gradient[d];
    gradient.kernel = zeros(inputs * columns);
    gradient.recurrent_kernel = zeros(units * columns);
    gradient.bias = zeros(size.bias ? columns : 0);
    gradient.h0 = zeros(size.batch * units);
    gradient.c0 = zeros(size.batch * units);
    const double kernel_norm = largest_norm(weights.kernel, columns);
    const double recurrent_norm = largest_norm(weights.recurrent_kernel, columns);
    const double most_kept = size.recurrent_dropout ? kKept : 1;
    std::vector<double> x_squares = zeros(inputs), h_squares = zeros(units);
    std::vector<double> dz_squares = zeros(columns), dz_sums = zeros(columns);

    for (int64_t text = 0; text < size.batch; ++text) {
      // States after so many steps of this direction, and gates i f g o of each.
      std::vector<double> h = zeros((steps + 1) * units), c = h, gates = zeros(steps * columns);
      for (int64_t u = 0; u < units; ++u) {
        const size_t at = static_cast<size_t>(text * units + u);
        if (size.h0) h[static_cast<size_t>(u)] = weights.h0[at];
        if (size.c0) c[static_cast<size_t>(u)] = weights.c0[at];
      }
      auto place_of = [&](int64_t done) {
        return text * steps + (size.reverse[d] ? steps - 1 - done : done);
      };
      auto word_at = [&](int64_t place) {
        const int64_t token = problem.tokens[static_cast<size_t>(place)];
        return token < 0 ? token + size.words : token;
      };
      auto x_at = [&](int64_t place) {
        return problem.tokens.empty() ? problem.x.data() + place * inputs
                                      : problem.table.data() + word_at(place) * inputs;
      };
      auto masked = [&](int64_t place) {
        return !problem.mask.empty() && problem.mask[static_cast<size_t>(place)] == 0;
      };
      auto kept = [&](int64_t gate, int64_t unit) {
        const size_t at = static_cast<size_t>((gate * size.batch + text) * units + unit);
        return size.recurrent_dropout ? weights.recurrent_dropout[at] : 1.0;
      };

      for (int64_t done = 0; done < steps; ++done) {
        const int64_t place = place_of(done);
        const double *h_before = h.data() + done * units, *c_before = c.data() + done * units;
        double *h_after = h.data() + (done + 1) * units, *c_after = c.data() + (done + 1) * units;
        double* z = gates.data() + done * columns;
        if (masked(place)) {
          std::copy(h_before, h_before + units, h_after);
          std::copy(c_before, c_before + units, c_after);
        } else {
          const double* x = x_at(place);
          if (size.bias) std::copy(weights.bias.begin(), weights.bias.end(), z);
          for (int64_t i = 0; i < inputs; ++i) add_times(x[i], kernel + i * columns, columns, z);
          for (int64_t u = 0; u < units; ++u) {
            for (int64_t gate = 0; gate < 4; ++gate) {
              add_times(factor(h_before[u] * kept(gate, u)),
                        recurrent + u * columns + gate * units, units, z + gate * units);
            }
          }
          for (int64_t u = 0; u < units; ++u) {
            const double i = sigmoid(z[u]), f = sigmoid(z[units + u]);
            const double g = tanh(z[2 * units + u]), o = sigmoid(z[3 * units + u]);
            c_after[u] = f * c_before[u] + i * g;
            h_after[u] = o * tanh(c_after[u]);
            z[u] = i;
            z[units + u] = f;
            z[2 * units + u] = g;
            z[3 * units + u] = o;
          }
        }
        if (size.y && !(masked(place) && size.zero_masked)) {
          std::copy(h_after, h_after + units, to.y.data() + place * width + d * units);
        }
      }
      std::copy(h.end() - units, h.end(), to.h.data() + text * width + d * units);
      std::copy(c.end() - units, c.end(), to.c.data() + text * width + d * units);

      // Back through time.
      const double* dh_last = problem.dh.data() + text * width + d * units;
      const double* dc_last = problem.dc.data() + text * width + d * units;
      std::vector<double> dh(dh_last, dh_last + units), dc(dc_last, dc_last + units);
      std::vector<double> dz = zeros(columns), dz_size = zeros(columns);
      double dh_magnitude = 1, dc_magnitude = 1;
      for (int64_t done = steps - 1; done >= 0; --done) {
        const int64_t place = place_of(done);
        if (size.dy && !(masked(place) && size.zero_masked)) {
          add_times(1, problem.dy.data() + place * width + d * units, units, dh.data());
          dh_magnitude += 1;
        }
        if (masked(place)) continue;
        const double *h_before = h.data() + done * units, *c_before = c.data() + done * units;
        const double* c_after = c.data() + (done + 1) * units;
        const double* gate = gates.data() + done * columns;
        for (int64_t u = 0; u < units; ++u) {
          const double i = gate[u], f = gate[units + u];
          const double g = gate[2 * units + u], o = gate[3 * units + u];
          const double squashed = tanh(c_after[u]);
          double& dc_here = dc[static_cast<size_t>(u)];
          const double dh_here = dh[static_cast<size_t>(u)];
          dc_here += dh_here * o * (1 - squashed * squashed);
          double* out = dz.data() + u;
          out[0] = dc_here * g * i * (1 - i);
          out[units] = dc_here * c_before[u] * f * (1 - f);
          out[2 * units] = dc_here * i * (1 - g * g);
          out[3 * units] = dh_here * squashed * o * (1 - o);
          const double dc_sum = fabs(dc_here) + fabs(dh_here) * o;
          double* sum = dz_size.data() + u;
          sum[0] = dc_sum * fabs(g) * i;
          sum[units] = dc_sum * fabs(c_before[u]) * f;
          sum[2 * units] = dc_sum * i;
          sum[3 * units] = fabs(dh_here * squashed) * o;
          dc_magnitude = std::max(dc_magnitude, dc_sum);
          dc_here *= f;
        }
        const double* x = x_at(place);
        const double dz_norm = largest_norm(dz_size, columns);
        for (size_t k = 0; k < dz_size.size(); ++k) {
          dz_squares[k] += dz_size[k] * dz_size[k];
          dz_sums[k] += dz_size[k];
        }
        if (size.bias) add_times(1, dz.data(), columns, gradient.bias.data());
        for (double& one : dz) one = factor(one);
        double* dx = problem.tokens.empty() ? to.dx.data() + place * inputs
                                            : to.dtable.data() + word_at(place) * inputs;
        for (int64_t i = 0; i < inputs; ++i) {
          add_times(x[i], dz.data(), columns, gradient.kernel.data() + i * columns);
          dx[i] += dot(kernel + i * columns, dz.data(), columns);
          x_squares[static_cast<size_t>(i)] += x[i] * x[i];
        }
        if (problem.tokens.empty()) {
          raise(magnitudes.dx, kernel_norm * dz_norm);
        } else {
          table_magnitude[static_cast<size_t>(word_at(place))] += kernel_norm * dz_norm;
        }
        for (int64_t u = 0; u < units; ++u) {
          const size_t at = static_cast<size_t>(u);
          dh[at] = 0;
          for (int64_t k = 0; k < 4; ++k) {
            const double by = kept(k, u);
            const int64_t first = u * columns + k * units;
            const double* dz_of_gate = dz.data() + k * units;
            add_times(factor(h_before[u] * by), dz_of_gate, units,
                      gradient.recurrent_kernel.data() + first);
            dh[at] += by * dot(recurrent + first, dz_of_gate, units);
          }
          h_squares[at] += h_before[u] * h_before[u] * most_kept * most_kept;
        }
        dh_magnitude = most_kept * recurrent_norm * dz_norm;
      }
      std::copy(dh.begin(), dh.end(), gradient.h0.begin() + text * units);
      std::copy(dc.begin(), dc.end(), gradient.c0.begin() + text * units);
      raise(magnitudes.gradient[d].h0, dh_magnitude);
      raise(magnitudes.gradient[d].c0, dc_magnitude);
    }
    raise(magnitudes.gradient[d].kernel, largest_root(x_squares) * largest_root(dz_squares));
    raise(magnitudes.gradient[d].recurrent_kernel,
          largest_root(h_squares) * largest_root(dz_squares));
    raise(magnitudes.gradient[d].bias, *std::max_element(dz_sums.begin(), dz_sums.end()));

    // Gates and states are no larger than their sums; x, h and biases are 1 at most.
    double sum = 1 + largest_column(weights.kernel, columns) +
                 most_kept * largest_column(weights.recurrent_kernel, columns);
    for (double one : to.c) sum = std::max(sum, fabs(one));
    raise(magnitudes.y, sum);
    raise(magnitudes.h, sum);
    raise(magnitudes.c, sum);
  }
  raise(magnitudes.dx, 0);
  raise(magnitudes.dtable, table_magnitude.empty() ? 0 : *std::max_element(table_magnitude.begin(),
                                                                            table_magnitude.end()));
  if (size.dy) all.loss += dot(to.y.data(), problem.dy.data(), static_cast<int64_t>(to.y.size()));
  all.loss += dot(to.h.data(), problem.dh.data(), static_cast<int64_t>(to.h.size()));
  all.loss += dot(to.c.data(), problem.dc.data(), static_cast<int64_t>(to.c.size()));
  return all;
}

// ---- the kernel ------------------------------------------------------------------------------

// Threads of its own for each run; they take tasks, in an order that is not the numbers', as each
// comes to be free.
class Threads final : public sentilab::Workers {
 public:
  explicit Threads(int threads, uint64_t order = 0) : threads_(threads), order_(order) {}

  void run(int64_t tasks, Task task, void* context) override {
    if (tasks <= 0) return;
    int64_t stride = 1 + static_cast<int64_t>(order_ % static_cast<uint64_t>(tasks));
    for (int64_t a = stride, b = tasks; b != 0;) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
      if (b == 0 && a != 1) a = ++stride, b = tasks;  // not coprime: it would leave tasks out
    }
    std::atomic<int64_t> next{0};
    auto work = [&] {
      for (int64_t n = next++; n < tasks; n = next++) {
        task(context, (n * stride + tasks / 2) % tasks);
      }
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads_; ++t) others.emplace_back(work);
    work();
    for (std::thread& one : others) one.join();
  }

 private:
  const int threads_;
  const uint64_t order_;
};

const float* or_null(const std::vector<float>& given) {
  return given.empty() ? nullptr : given.data();
}
float* or_null(std::vector<float>& given) { return given.empty() ? nullptr : given.data(); }

sentilab::Inputs inputs_of(const Problem<float>& problem) {
  const Case& size = problem.sizes;
  sentilab::Inputs in{};
  in.batch = size.batch;
  in.steps = size.steps;
  in.inputs = size.inputs;
  in.units = size.units;
  in.directions = size.directions;
  for (int d = 0; d < size.directions; ++d) {
    const Weights<float>& from = problem.direction[d];
    in.direction[d] = {from.kernel.data(), from.recurrent_kernel.data(),   or_null(from.bias),
                       or_null(from.h0),   or_null(from.c0),               size.reverse[d],
                       or_null(from.recurrent_dropout)};
  }
  in.x = or_null(problem.x);
  in.tokens = problem.tokens.empty() ? nullptr : problem.tokens.data();
  in.table = or_null(problem.table);
  in.words = size.words;
  in.mask = problem.mask.empty() ? nullptr : problem.mask.data();
  in.zero_masked = size.zero_masked;
  in.bf16 = size.bf16;
  return in;
}

// Every array is filled with NaN first, so that what is not written shows.
std::vector<float> unwritten(int64_t count) {
  return std::vector<float>(static_cast<size_t>(count), kNaN);
}

void run_forward(const Lstm& lstm, const Problem<float>& problem, sentilab::Workers& workers,
                 sentilab::Residuals* residuals, Outcome<float>& to) {
  const Case& size = problem.sizes;
  const int64_t width = size.directions * size.units;
  if (size.y) to.y = unwritten(size.batch * size.steps * width);
  to.h = unwritten(size.batch * width);
  to.c = unwritten(size.batch * width);
  lstm.forward(inputs_of(problem), {or_null(to.y), to.h.data(), to.c.data()}, residuals, workers);
}

void run_backward(const Lstm& lstm, const Problem<float>& problem, sentilab::Workers& workers,
                  const sentilab::Residuals& residuals, Outcome<float>& to) {
  const Case& size = problem.sizes;
  const int64_t columns = 4 * size.units;
  to.dx = unwritten(problem.tokens.empty() ? size.batch * size.steps * size.inputs : 0);
  to.dtable = unwritten(size.words * size.inputs);
  sentilab::InputGradients gradients{};
  gradients.x = or_null(to.dx);
  gradients.table = or_null(to.dtable);
  for (int d = 0; d < size.directions; ++d) {
    Weights<float>& one = to.gradient[d];
    one.kernel = unwritten(size.inputs * columns);
    one.recurrent_kernel = unwritten(size.units * columns);
    one.bias = unwritten(size.bias ? columns : 0);
    one.h0 = unwritten(size.batch * size.units);
    one.c0 = unwritten(size.batch * size.units);
    gradients.direction[d] = {one.kernel.data(), one.recurrent_kernel.data(), or_null(one.bias),
                              one.h0.data(), one.c0.data()};
  }
  lstm.backward(inputs_of(problem), residuals,
                {or_null(problem.dy), problem.dh.data(), problem.dc.data()}, gradients, workers);
}

Outcome<float> run_kernel(const Lstm& lstm, const Problem<float>& problem,
                          sentilab::Workers& workers) {
  Outcome<float> outcome;
  sentilab::Residuals residuals;
  run_forward(lstm, problem, workers, &residuals, outcome);
  run_backward(lstm, problem, workers, residuals, outcome);
  return outcome;
}

// An implementation, and which of its products.
struct Kernel {
  const Lstm* lstm;
  bool bf16;
  std::string name() const { return std::string(lstm->name) + (bf16 ? ", bf16: " : ": "); }
};

std::vector<Kernel> kernels_of(const std::vector<const Lstm*>& all) {
  std::vector<Kernel> kernels;
  for (const Lstm* one : all) {
    kernels.push_back({one, false});
    if (one->bf16) kernels.push_back({one, true});
  }
  return kernels;
}

std::vector<const Lstm*> implementations() {
  std::vector<const Lstm*> all;
  for (const char* name : {"avx512", "avx2", "portable", "neon"}) {
    if (sentilab::choose_lstm(name)) all.push_back(&sentilab::lstm());
  }
  sentilab::choose_lstm("");
  return all;
}

// ---- comparison ------------------------------------------------------------------------------

// Each function below returns what is wrong, or nothing.

std::string differing_bits(const Outcome<float>& one, const Outcome<float>& other) {
  const auto a = arrays_of(one), b = arrays_of(other);
  for (size_t n = 0; n < a.size(); ++n) {
    if (a[n]->size() != b[n]->size()) return std::string(kArrays[n]) + " has another size";
    for (size_t at = 0; at < a[n]->size(); ++at) {
      const float first = (*a[n])[at], second = (*b[n])[at];
      if (memcmp(&first, &second, sizeof first) != 0) {
        char line[200];
        snprintf(line, sizeof line, "%s differs at %zu: %.9g and %.9g", kArrays[n], at,
                 static_cast<double>(first), static_cast<double>(second));
        return line;
      }
    }
  }
  return "";
}

// How many roundings an element of an array has behind it: those of its own sum (over places of
// the batch, or over gate columns) and of a step's sums before it (over inputs and units). Those
// of all the other steps arrive damped, and count as one a step. Each rounding is off by eps/2 of
// the absolute sum at most, in either direction: n of them by sqrt(n/12) eps, one standard
// deviation. Ten of these, 3 sqrt(n) eps of the array's largest absolute sum, are allowed. A term
// left out or counted twice is off by its share of the sum, which is a thousand times as much.
double roundings(const Case& size, size_t array) {
  const double columns = 4.0 * static_cast<double>(size.units);
  const double places = static_cast<double>(size.batch * size.steps);
  const double before = static_cast<double>(size.inputs + size.units + size.steps) + 16;
  if (array < kOutputs) return before;
  const bool over_places = array == 4 || (array - 5) % 5 < 3;  // table and weights
  return before + columns + (over_places && array != 3 ? places : 0);
}

// With bf16, what the reference does not do: where float32's errors carry a state or a gradient
// over the middle between two of bfloat16's numbers, it is rounded the other way, and one term of
// a sum over the units is off by 2^-7 of itself. That may come about four times in a row. And the
// kernel rounds the sum of a token's gradients once more: 2^-8 of it at most.
double other_roundings(const Case& size, size_t array) {
  if (!size.bf16) return 0;
  const bool by_token = size.words > 0 && (array == 4 || array == 5 || array == 10);
  return 4 * 0x1p-7 / static_cast<double>(size.units) + (by_token ? 0x1p-8 : 0);
}

std::string too_far(const Case& size, const Outcome<float>& kernel, const Reference& reference,
                    bool gradients, double* worst) {
  const auto got = arrays_of(kernel);
  const auto wanted = arrays_of(reference.values), magnitudes = arrays_of(reference.magnitudes);
  for (size_t n = gradients ? kOutputs : 0; n < (gradients ? got.size() : kOutputs); ++n) {
    if (got[n]->size() != wanted[n]->size()) return std::string(kArrays[n]) + " has another size";
    if (got[n]->empty()) continue;
    // The incoming gradients are 1 at most. What has vanished to eps of that on its way through
    // many steps carries the errors of all of their factors.
    const double magnitude = std::max(magnitudes[n]->at(0), 0x1p-23);
    const double unit =
        (3 * sqrt(roundings(size, n)) * 0x1p-23 + other_roundings(size, n)) * magnitude;
    for (size_t at = 0; at < got[n]->size(); ++at) {
      const double error = fabs(static_cast<double>((*got[n])[at]) - (*wanted[n])[at]);
      if (error > 0) *worst = std::max(*worst, error / unit);
      if (!(error <= unit)) {
        char line[200];
        snprintf(line, sizeof line, "%s at %zu: %.9g, not %.9g; off by %.3g, allowed %.3g",
                 kArrays[n], at, static_cast<double>((*got[n])[at]), (*wanted[n])[at], error, unit);
        return line;
      }
    }
  }
  return "";
}

class Report {
 public:
  void add(const std::string& test, const std::string& failure) {
    ++(failure.empty() ? passed_ : failed_);
    printf("%s  %s\n", failure.empty() ? "passed" : "FAILED", test.c_str());
    if (!failure.empty()) printf("        %s\n", failure.c_str());
    fflush(stdout);
  }
  int close() const {
    printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  int passed_ = 0, failed_ = 0;
};

// ---- tests -----------------------------------------------------------------------------------

std::string check_reference(Random& random) {
  for (const bool tokens : {false, true}) {
    for (const bool zero_masked : {false, true}) {
      Case size;
      size.batch = 2;
      size.steps = 4;
      size.inputs = 3;
      size.units = 2;
      size.directions = 2;
      size.words = tokens ? 5 : 0;
      size.distinct = size.words;
      size.mask = Mask::kRandom;
      size.zero_masked = zero_masked;
      size.h0 = size.c0 = true;
      size.recurrent_dropout = tokens;
      Problem<double> problem = draw_problem<double>(size, random);
      const Reference whole = reference(problem);
      Weights<double>* weights = problem.direction;
      const std::vector<std::pair<std::vector<double>*, const std::vector<double>*>> pairs = {
          {&problem.x, &whole.values.dx},
          {&problem.table, &whole.values.dtable},
          {&weights[0].kernel, &whole.values.gradient[0].kernel},
          {&weights[0].recurrent_kernel, &whole.values.gradient[0].recurrent_kernel},
          {&weights[0].bias, &whole.values.gradient[0].bias},
          {&weights[0].h0, &whole.values.gradient[0].h0},
          {&weights[0].c0, &whole.values.gradient[0].c0},
          {&weights[1].kernel, &whole.values.gradient[1].kernel},
          {&weights[1].recurrent_kernel, &whole.values.gradient[1].recurrent_kernel},
          {&weights[1].bias, &whole.values.gradient[1].bias},
          {&weights[1].h0, &whole.values.gradient[1].h0},
          {&weights[1].c0, &whole.values.gradient[1].c0}};
      for (const auto& pair : pairs) {
        if (pair.first->size() != pair.second->size()) return "a gradient has another size";
        for (size_t at = 0; at < pair.first->size(); ++at) {
          double& number = (*pair.first)[at];
          const double here = number, by = 1e-5;
          number = here + by;
          const double above = reference(problem).loss;
          number = here - by;
          const double below = reference(problem).loss;
          number = here;
          // The difference quotient is off by its square, and by float64's eps of the loss / by.
          if (!(fabs((above - below) / (2 * by) - (*pair.second)[at]) <= 1e-8)) {
            return "a gradient is not the difference quotient; " + size.words_for_it();
          }
        }
      }
    }
  }
  return "";
}

struct Findings {
  std::string outputs, gradients, threads, again, alone;
  double worst_output = 0, worst_gradient = 0;
};

void note(std::string& where, const std::string& failure, const std::string& of) {
  if (where.empty() && !failure.empty()) where = failure + "; " + of;
}

void check_case(const Lstm& lstm, const Problem<float>& problem, const Reference& wanted,
                const std::string& of, Random& random, Findings& to) {
  Threads one(1);
  Outcome<float> outcome;
  sentilab::Residuals residuals;
  run_forward(lstm, problem, one, &residuals, outcome);
  run_backward(lstm, problem, one, residuals, outcome);
  note(to.outputs, too_far(problem.sizes, outcome, wanted, false, &to.worst_output), of);
  note(to.gradients, too_far(problem.sizes, outcome, wanted, true, &to.worst_gradient), of);

  const int counts[] = {1, 2, 3, 7};
  Threads several(counts[random.between(0, 3)], static_cast<uint64_t>(random.between(0, 1 << 20)));
  note(to.threads, differing_bits(outcome, run_kernel(lstm, problem, several)), of);

  Outcome<float> again = outcome;
  run_backward(lstm, problem, several, residuals, again);
  note(to.again, differing_bits(outcome, again), of);

  // Without residuals and without y: h and c are the same.
  Problem<float> states = problem;
  states.sizes.y = false;
  Outcome<float> alone = outcome;
  run_forward(lstm, states, one, nullptr, alone);
  note(to.alone, differing_bits(outcome, alone), of);
}

void test_cases(int64_t random_cases, uint64_t seed, const std::vector<Kernel>& all,
                Report& report) {
  std::vector<Findings> findings(all.size());
  const std::vector<Case> chosen = chosen_cases();
  const int64_t count = static_cast<int64_t>(chosen.size()) + random_cases;
  for (int64_t n = 0; n < count; ++n) {
    Random random(seed * 1000003 + static_cast<uint64_t>(n));
    const bool was_chosen = n < static_cast<int64_t>(chosen.size());
    const Case size = was_chosen ? chosen[static_cast<size_t>(n)] : draw_case(random);
    Problem<float> problem = draw_problem<float>(size, random);
    Reference wanted;
    // Half the cases get their memory fresh, half as the case before left it.
    sentilab::set_kept_memory(n % 2 == 0 ? 0 : size_t{1} << 28);
    for (size_t i = 0; i < all.size(); ++i) {
      if (i == 0 || all[i].bf16 != problem.sizes.bf16) {
        problem.sizes.bf16 = all[i].bf16;
        wanted = reference(in_float64(problem));
      }
      const std::string of = "case " + std::to_string(n) + ": " + problem.sizes.words_for_it();
      check_case(*all[i].lstm, problem, wanted, of, random, findings[i]);
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name = all[i].name();
    const Findings& one = findings[i];
    char line[200];
    snprintf(line, sizeof line, "outputs agree with float64 (%lld cases, largest error %.2g of 1)",
             static_cast<long long>(count), one.worst_output);
    report.add(name + line, one.outputs);
    snprintf(line, sizeof line, "gradients agree with float64 (largest error %.2g of 1)",
             one.worst_gradient);
    report.add(name + line, one.gradients);
    report.add(name + "any number of threads, in any order, gives the same bits", one.threads);
    report.add(name + "a second backward pass from the same residuals gives the same bits",
               one.again);
    report.add(name + "the last states are the same without y and residuals", one.alone);
  }
}

// One step with one gate at a time left open to see, from -infinity to infinity.
std::string check_gates(const Lstm& lstm, Random& random, double* worst) {
  const float fixed[] = {0,      -0.0f,  1e-45f, -1e-38f, 1e-30f,    -1e-8f,  1e-4f,      0.34657f,
                         -0.35f, 0.6f,   -8.7f,  19.9f,   -20.1f,    87,      -87,        86.9f,
                         88.5f,  -88.5f, 1e4f,   -1e4f,   kInfinity, -kInfinity};
  Case size;
  size.units = 140;
  Problem<float> problem = draw_problem<float>(size, random);
  std::fill(problem.direction[0].kernel.begin(), problem.direction[0].kernel.end(), 0.0f);
  std::vector<float>& bias = problem.direction[0].bias;
  std::vector<float>& c0 = problem.direction[0].c0;
  const size_t units = static_cast<size_t>(size.units);
  Threads one(1);
  for (size_t gate = 0; gate < 4; ++gate) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> z = random.numbers<float>(size.units, round % 2 == 0 ? 4 : 90);
      if (round == 0) std::copy(std::begin(fixed), std::end(fixed), z.begin());
      // i = 1 (g open) or f = 0 (i open), g = 1; or c = f c0; or c = c0 = 50, whose tanh is 1.
      const float open[4][5] = {{0, -200, 50, 0, 0}, {-200, 0, 0, 0, 1}, {200, -200, 0, 0, 0},
                                {-200, 200, 0, 0, 50}};
      for (size_t u = 0; u < units; ++u) {
        for (size_t k = 0; k < 4; ++k) bias[k * units + u] = k == gate ? z[u] : open[gate][k];
      }
      c0.assign(units, open[gate][4]);
      Outcome<float> outcome;
      run_forward(lstm, problem, one, nullptr, outcome);
      for (size_t u = 0; u < units; ++u) {
        const double wanted = gate == 2 ? tanh(static_cast<double>(z[u]))
                                        : sigmoid(static_cast<double>(z[u]));
        const double got = static_cast<double>(gate == 3 ? outcome.h[u] : outcome.c[u]);
        // Seven roundings in a row (reduction, polynomial, quotient, product) are 3.5 eps. The
        // kernel's sigmoid does not fall below e^-87, and a closed gate is that instead of 0.
        const double unit = 3.5 * 0x1p-23 * fabs(wanted) + 4e-38;
        if (fabs(got - wanted) > 0) *worst = std::max(*worst, fabs(got - wanted) / unit);
        if (!(fabs(got - wanted) <= unit)) {
          char line[200];
          snprintf(line, sizeof line, "gate %zu of %.9g is %.9g, not %.9g", gate,
                   static_cast<double>(z[u]), got, wanted);
          return line;
        }
      }
    }
  }
  return "";
}

bool is_nan(float number) { return number != number; }

// A run that has diverged must not look well.
std::string check_nan(const Lstm& lstm, bool bf16, Random& random) {
  Case size;
  size.bf16 = bf16;
  size.batch = 5;
  size.steps = 6;
  size.inputs = 7;
  size.units = 21;
  Problem<float> problem = draw_problem<float>(size, random);
  Threads one(1);
  const Outcome<float> well = run_kernel(lstm, problem, one);
  const int64_t text = 2, step = 3;
  problem.x[static_cast<size_t>((text * size.steps + step) * size.inputs + 4)] = kNaN;
  const Outcome<float> diverged = run_kernel(lstm, problem, one);
  for (int64_t at = 0; at < static_cast<int64_t>(well.y.size()); ++at) {
    const int64_t place = at / size.units;
    const bool after = place / size.steps == text && place % size.steps >= step;
    const float was = well.y[static_cast<size_t>(at)], is = diverged.y[static_cast<size_t>(at)];
    if (after && !is_nan(is)) return "y is a number after a NaN in x";
    if (!after && memcmp(&was, &is, sizeof is) != 0) return "y is another where x was not";
  }
  for (int64_t unit = 0; unit < size.units; ++unit) {
    const size_t at = static_cast<size_t>(text * size.units + unit);
    if (!is_nan(diverged.h[at]) || !is_nan(diverged.c[at])) return "the last state is a number";
  }
  for (float one_of : diverged.gradient[0].kernel) {
    if (!is_nan(one_of)) return "dW is a number after a NaN in x";
  }
  return "";
}

std::string check_together(const Lstm& lstm, bool bf16, Random& random) {
  std::vector<Problem<float>> problems;
  std::vector<Outcome<float>> alone;
  Threads one(1);
  for (int n = 0; n < 4; ++n) {
    Case size;
    size.batch = 17 + 3 * n;
    size.steps = 7;
    size.inputs = 5;
    size.units = 19;
    size.directions = 1 + n % 2;
    size.mask = n == 2 ? Mask::kRandom : Mask::kNone;
    size.words = size.distinct = n < 2 ? 0 : 20;
    size.recurrent_dropout = n % 2 == 1;
    size.bf16 = bf16;
    problems.push_back(draw_problem<float>(size, random));
    alone.push_back(run_kernel(lstm, problems.back(), one));
  }
  std::vector<std::string> failures(problems.size());
  std::vector<std::thread> threads;
  for (size_t n = 0; n < problems.size(); ++n) {
    threads.emplace_back([&, n] {
      Threads workers(1 + static_cast<int>(n) % 3, n);
      for (int round = 0; round < 5; ++round) {
        note(failures[n], differing_bits(alone[n], run_kernel(lstm, problems[n], workers)),
             problems[n].sizes.words_for_it());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) {
    if (!failure.empty()) return failure;
  }
  return "";
}

std::string check_choice(const std::vector<const Lstm*>& all) {
  if (all.empty()) return "there is no implementation";
  for (const Lstm* one : all) {
    if (!sentilab::choose_lstm(one->name) || &sentilab::lstm() != one) return "not the one chosen";
    if (sentilab::choose_lstm("abacus")) return "an unknown name was taken";
    if (&sentilab::lstm() != one) return "an unknown name changed the choice";
  }
  if (!sentilab::choose_lstm("") || &sentilab::lstm() != all[0]) return "not the best by default";
  return "";
}

// ---- memory ----------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" size_t __sanitizer_get_current_allocated_bytes();
bool allocated_bytes(size_t* bytes) {
  *bytes = __sanitizer_get_current_allocated_bytes();
  return true;
}
#elif defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
bool allocated_bytes(size_t* bytes) {
  const struct mallinfo2 now = mallinfo2();
  *bytes = now.uordblks + now.hblkhd;
  return true;
}
#else
bool allocated_bytes(size_t*) { return false; }
#endif

constexpr size_t kMebibyte = size_t{1} << 20;

std::string check_reuse() {
  sentilab::set_kept_memory(64 * kMebibyte);
  const size_t sizes[] = {0, 4, 64, 100, 4096, kMebibyte + 4, 5 * kMebibyte};
  for (size_t bytes : sizes) {
    void* first = sentilab::take_memory(bytes);
    void* second = sentilab::take_memory(bytes);
    if (first == nullptr || second == nullptr || first == second) return "not memory of its own";
    for (void* one : {first, second}) {
      if (reinterpret_cast<uintptr_t>(one) % 64 != 0) return "not aligned to 64 bytes";
      memset(one, 1, bytes);
    }
    sentilab::give_memory(first, bytes);
    const size_t larger = bytes + bytes / 4 + 128;
    void* other = sentilab::take_memory(larger);
    void* again = sentilab::take_memory(bytes);
    if (other == first) return "a block of another size was given out";
    if (again != first) return "a block that was given back was not used again";
    sentilab::give_memory(other, larger);
    sentilab::give_memory(again, bytes);
    sentilab::give_memory(second, bytes);
  }
  sentilab::give_memory(nullptr, 64);
  sentilab::set_kept_memory(0);
  return "";
}

// Whether allocations beyond `base` are within `allowed`. The sanitizers' malloc counts a block as
// up to a quarter larger than was asked for; the list of kept blocks is small.
bool within(size_t base, size_t allowed) {
  size_t now = 0;
  return !allocated_bytes(&now) || now <= base + allowed + allowed / 4 + 64 * 1024;
}

std::string check_limit(const Lstm& lstm, Random& random) {
  sentilab::set_kept_memory(0);
  size_t base = 0;
  allocated_bytes(&base);
  const size_t limit = 4 * kMebibyte;
  sentilab::set_kept_memory(limit);

  // Five blocks of sizes of their own, of which four fit: the oldest goes.
  std::vector<std::pair<void*, size_t>> blocks;
  for (size_t n = 0; n < 5; ++n) blocks.push_back({nullptr, (12 + n) * kMebibyte / 16});
  for (auto& block : blocks) block.first = sentilab::take_memory(block.second);
  for (auto& block : blocks) sentilab::give_memory(block.first, block.second);
  if (!within(base, limit)) return "more is kept than the limit";
  for (size_t n = 1; n < 5; ++n) {
    void* again = sentilab::take_memory(blocks[n].second);
    if (again != blocks[n].first) return "a block within the limit was not kept";
    sentilab::give_memory(again, blocks[n].second);
  }
  void* larger = sentilab::take_memory(2 * limit);
  sentilab::give_memory(larger, 2 * limit);
  if (!within(base, limit)) return "a block beyond the limit was kept";

  Threads one(1);  // what other threads leave behind in malloc would be counted
  for (int64_t n = 0; n < 12; ++n) {
    Case size;
    size.batch = 20 + n;
    size.steps = 20;
    size.inputs = 20;
    size.units = 30 + n;
    run_kernel(lstm, draw_problem<float>(size, random), one);
    if (!within(base, limit)) return "after a pass more is kept than the limit";
  }
  sentilab::set_kept_memory(kMebibyte);
  if (!within(base, kMebibyte)) return "a lower limit did not free what is beyond it";
  sentilab::set_kept_memory(0);
  if (!within(base, 0)) return "something is kept with a limit of 0";
  return "";
}

std::string check_second_pass_is_free(const Lstm& lstm, Random& random) {
  Case size;
  size.batch = 40;
  size.steps = 20;
  size.inputs = 30;
  size.units = 50;
  size.mask = Mask::kRandom;
  const Problem<float> problem = draw_problem<float>(size, random);
  sentilab::set_kept_memory(256 * kMebibyte);
  Threads one(1);
  run_kernel(lstm, problem, one);
  size_t first = 0;
  allocated_bytes(&first);
  for (int n = 0; n < 3; ++n) run_kernel(lstm, problem, one);
  const bool free_of_cost = within(first, 0);
  sentilab::set_kept_memory(0);
  return free_of_cost ? "" : "more memory was taken for the same pass again";
}

}  // namespace

int main(int count, char** arguments) {
  const long cases = count > 1 ? atol(arguments[1]) : 60;
  const unsigned long seed = count > 2 ? strtoul(arguments[2], nullptr, 10) : 1;
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  mallopt(M_PERTURB, 1);  // fresh memory is -1.7e38, as good as NaN
#endif
  const std::vector<const Lstm*> all = implementations();
  printf("seed %lu, %ld random cases, on", seed, cases);
  for (const Lstm* one : all) printf(" %s", one->name);
  printf("\n");

  Report report;
  Random random(seed);
  report.add("the reference's gradients are its difference quotients", check_reference(random));
  report.add("an implementation is chosen by name", check_choice(all));
  const std::vector<Kernel> kernels = kernels_of(all);
  test_cases(cases, seed, kernels, report);
  for (const Kernel& one : kernels) {
    const std::string name = one.name();
    double worst = 0;
    char line[100];
    if (!one.bf16) {
      const std::string failure = check_gates(*one.lstm, random, &worst);
      snprintf(line, sizeof line, "gates are exact to 3.5 eps (largest error %.2g of 1)", worst);
      report.add(name + line, failure);
    }
    report.add(name + "a NaN in x shows in what depends on it",
               check_nan(*one.lstm, one.bf16, random));
    report.add(name + "calls at the same time give the same bits as alone",
               check_together(*one.lstm, one.bf16, random));
  }
  report.add("memory: blocks are aligned and used again", check_reuse());
  report.add("memory: what is kept stays within the limit", check_limit(*all[0], random));
  report.add("memory: the same pass again takes no more",
             check_second_pass_is_free(*all[0], random));
  return report.close();
}
