// The weight gradient of a dense layer with many inputs and few texts.

#pragma once

#include <cstdint>

#include "lstm.h"

namespace sentilab {

// result [K, N] = x [B, K]^T dy [B, N], a sum over the batch in its order.
void outer(const float* x, const float* dy, int64_t batch, int64_t inputs, int64_t units,
           float* result, Workers& workers);

}  // namespace sentilab
