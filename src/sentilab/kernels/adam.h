// One step of Adam over one array of parameters, in one pass through memory.

#pragma once

#include <cstdint>

#include "lstm.h"

namespace sentilab {

//   m += (g - m)(1 - beta_1)   v += (g^2 - v)(1 - beta_2)   p -= alpha m / (sqrt(v) + epsilon)
//
// All arrays have `count` floats. What is written may be the very array that is read, or one that
// does not overlap it.
struct AdamStep {
  const float *parameters, *momentums, *velocities, *gradients;
  float *new_parameters, *new_momentums, *new_velocities;
  int64_t count;
  float alpha;  // the learning rate, corrected for both moments' bias
  float one_less_beta_1, one_less_beta_2, epsilon;
};

void adam(const AdamStep& step, Workers& workers);

}  // namespace sentilab
