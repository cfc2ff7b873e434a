// Which texts have which n-grams. An n-gram's number, and which are kept, are defined in
// text/ngrams.py, whose NumPy code gives the same answers.

#pragma once

#include <cstdint>
#include <vector>

#include "lstm.h"

namespace sentilab {

// The number of an n-gram from that of its words before the last (0 for none) and its last word.
inline uint32_t ngram_hash(uint32_t before, uint32_t word) {
  const uint32_t y = (before + word * 0x27D4EB2Fu) * 0x4F1BBCDDu;
  return ((y << 16) + (y >> 16)) * 0x5A4D2E17u;
}

struct Ngrams {
  const int32_t* ids;      // [texts, length]; no n-gram holds a 0, padding, or a 2, unknown
  int64_t texts, length;   // texts below 2^31
  int64_t orders;          // n-grams of 1 to so many words
  int64_t least;           // kept from so many texts on
  int64_t features;        // and no more than these, below 2^31
};

struct NgramCounts {
  std::vector<uint32_t> hashes;      // of the n-grams kept, ascending
  std::vector<int32_t> frequencies;  // in how many texts each is
  std::vector<int64_t> starts;       // [texts + 1]: where each text's features begin in
  std::vector<int32_t> indices;      // numbers into `hashes`, ascending within a text
};

// Throws std::bad_alloc. The result does not depend on the workers.
NgramCounts count_ngrams(const Ngrams& of, Workers& workers);

}  // namespace sentilab
