// Reading rows of a table, and the gradient of that.

#pragma once

#include <cstdint>

#include "lstm.h"

namespace sentilab {

// result [positions, width]: the rows of the table [rows, width] that `ids` name. Ids outside the table
// read NaN.
struct Embedding {
  const float* table;
  const int32_t* ids;
  int64_t positions, rows, width;
  float* result;
};

void embedding(const Embedding& of, Workers& workers);

// result [rows, width]: the sum of dy [positions, width] over the positions whose `ids` name the row,
// in their order. Ids outside the table name none.
struct EmbeddingGradient {
  const int32_t* ids;
  const float* dy;
  int64_t positions, rows, width;
  float* result;
};

void embedding_gradient(const EmbeddingGradient& of, Workers& workers);

}  // namespace sentilab
