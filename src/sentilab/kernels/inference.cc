// The LSTM's forward pass for a caller that has neither C++ nor XLA: a plain structure, and threads
// that last as long as the call. inference.py has the same structure.

#include <new>

#include "lstm.h"
#include "own_threads.h"

// Shapes as in lstm.h. The second of two directions reads against the first.
struct SentilabLstmCall {
  int64_t batch, steps, inputs, units, words;
  int32_t directions, reverse;
  const float* kernel[2];
  const float* recurrent_kernel[2];
  const float* bias[2];    // or null
  const float* x;          // or null, and then
  const int32_t* tokens;   // these, from 0 to words - 1
  const float* table;
  const float* projected;  // the table as sentilab_lstm_project makes it, or null
  const uint8_t* mask;     // or null
  float* y;                // or null
  float* h;
  float* c;
};

namespace {

sentilab::Inputs inputs_of(const SentilabLstmCall* call) {
  sentilab::Inputs in{};
  in.batch = call->batch;
  in.steps = call->steps;
  in.inputs = call->inputs;
  in.units = call->units;
  in.words = call->words;
  in.directions = call->directions;
  in.x = call->x;
  in.tokens = call->tokens;
  in.table = call->table;
  in.projected = call->projected;
  in.mask = call->mask;
  for (int d = 0; d < call->directions; ++d) {
    in.direction[d].kernel = call->kernel[d];
    in.direction[d].recurrent_kernel = call->recurrent_kernel[d];
    in.direction[d].bias = call->bias[d];
    in.direction[d].reverse = (call->reverse != 0) != (d == 1);
  }
  return in;
}

}  // namespace

#define SENTILAB_EXPORT extern "C" __attribute__((visibility("default")))

// 0, or 1 where memory ran out.
SENTILAB_EXPORT int sentilab_lstm(const SentilabLstmCall* call, int threads) {
  sentilab::OwnThreads workers(threads);
  try {
    const sentilab::Outputs out{call->y, call->h, call->c};
    sentilab::lstm().forward(inputs_of(call), out, nullptr, workers);
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

// How many floats the projected table takes.
SENTILAB_EXPORT int64_t sentilab_lstm_projected_size(const SentilabLstmCall* call) {
  return sentilab::lstm().projected_size(inputs_of(call));
}

SENTILAB_EXPORT int sentilab_lstm_project(const SentilabLstmCall* call, float* projected,
                                          int threads) {
  sentilab::OwnThreads workers(threads);
  try {
    sentilab::lstm().project(inputs_of(call), projected, workers);
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}
