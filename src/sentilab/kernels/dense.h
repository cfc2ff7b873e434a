// The products of a dense layer with many inputs and few texts: forward, and its two gradients.

#pragma once

#include <cstdint>

#include "lstm.h"

namespace sentilab {

// x is [B, K], w is [K, N], y is [B, N]; the same for their gradients dx, dw and dy. What is summed
// in which order depends on the sizes alone, not on the number of threads.
struct DenseSizes {
  int64_t batch, inputs, units;
};

// y = x w
void dense(const float* x, const float* w, const DenseSizes& sizes, float* y, Workers& workers);
// dx = dy w^T
void dense_by_input(const float* dy, const float* w, const DenseSizes& sizes, float* dx,
                    Workers& workers);
// dw = x^T dy
void dense_by_weights(const float* x, const float* dy, const DenseSizes& sizes, float* dw,
                      Workers& workers);

}  // namespace sentilab
