// Vectors of texts and of their n-grams, learned without labels: alike where they go together.

#pragma once

#include <cstdint>

#include "lstm.h"

namespace sentilab {

// Text t has the features indices[starts[t]] to indices[starts[t + 1]], distinct, each below `features`.
struct Documents {
  const int64_t* starts;   // [texts + 1]
  const int32_t* indices;  // [starts[texts]], not empty
  const int32_t* order;    // [texts]: in which they are read
  int64_t texts, features;
  int64_t size;            // of a vector; a multiple of 16
  float* text_vectors;     // [texts, size], changed in place
  float* feature_vectors;  // [features, size], changed in place
  float sharpness;         // what a cosine is multiplied by to be a score
  int64_t negatives;       // drawn beside each feature, as often as features occur
  float first_rate, last_rate;  // of the gradient, falling over the texts
  uint64_t seed;           // of the negatives
};

// One pass over the texts. A text and one of its features are told from the text and a feature drawn at
// random by the logistic function of sharpness times their cosine; both vectors move along its gradient.
//
// Texts are read in small batches: first each one's vector moves, then each feature's, in the order of the
// texts. The result therefore does not depend on the workers. Throws std::bad_alloc.
//
// Source: Thongtan and Phienthrasert (2019), "Sentiment classification using document embeddings trained
// with cosine similarity", section 3.
void learn_documents(const Documents& of, Workers& workers);

}  // namespace sentilab
