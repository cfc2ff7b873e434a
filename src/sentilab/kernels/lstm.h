// The LSTM over whole sequences, forward and backward, for any framework: this header and what it
// describes know nothing of XLA or Python.
//
//   z_t = x_t W + h_{t-1} U + b        gates in Keras's order: input i, forget f, cell g, output o
//   i, f, o = sigmoid(z)   g = tanh(z)   c_t = f c_{t-1} + i g   h_t = o tanh(c_t)
//
// All arrays are float32, row-major and contiguous. Sizes, none of them 0: B texts (batch), T steps,
// I inputs, H units, D directions (1 or 2), V words of the table. Where a step is masked, h and c stay.
// With recurrent dropout, what a gate's columns of U are multiplied with is h_{t-1} times factors of
// that gate, the same at all steps.

#pragma once

#include <cstddef>
#include <cstdint>

namespace sentilab {

// Runs n independent tasks, in any order and on any number of threads, and returns when all are done.
class Workers {
 public:
  using Task = void (*)(void* context, int64_t number);
  virtual void run(int64_t tasks, Task task, void* context) = 0;

 protected:
  ~Workers() = default;
};

// The weights of one direction, and its initial state (both null: zeros).
struct Direction {
  const float* kernel;            // [I, 4H]
  const float* recurrent_kernel;  // [H, 4H]
  const float* bias;              // [4H] or null
  const float* h0;                // [B, H] or null
  const float* c0;                // [B, H] or null
  bool reverse;                   // from the last step to the first
  const float* recurrent_dropout;  // [4, B, H] or null: factors of h, by gate
};

struct Inputs {
  int64_t batch, steps, inputs, units;
  int directions;
  Direction direction[2];

  // Either x, or token ids and the table whose rows they name.
  const float* x;         // [B, T, I] or null
  const int32_t* tokens;  // [B, T] or null
  const float* table;     // [V, I] or null
  int64_t words;          // V
  // What Lstm.project made of the table and these weights, or null. With it tokens are not negative.
  const float* projected;

  const uint8_t* mask;  // [B, T], nonzero: read this step; or null
  bool zero_masked;     // y is 0, not the previous h, at masked steps
  bool bf16;            // products of bfloat16 factors, summed in float32; see Lstm.bf16
};

struct Outputs {
  float* y;  // [B, T, D H], or null where only the last state is asked for
  float* h;  // [B, D H]: the states after each direction's last step
  float* c;  // [B, D H]
};

struct OutputGradients {
  const float* y;  // [B, T, D H] or null
  const float* h;  // [B, D H]
  const float* c;  // [B, D H]
};

struct DirectionGradients {
  float* kernel;            // [I, 4H]
  float* recurrent_kernel;  // [H, 4H]
  float* bias;              // [4H] or null
  float* h0;                // [B, H] or null
  float* c0;                // [B, H] or null
};

struct InputGradients {
  float* x;      // [B, T, I], where x was given
  float* table;  // [V, I], where tokens were given; all of it is written
  DirectionGradients direction[2];
};

// What the backward pass needs of the forward pass. A forward pass that is given one fills it in;
// it owns its memory, which comes from and goes back to the pool (memory.h).
struct Residuals {
  float* gates = nullptr;   // per direction and slice: [T][block][row][i f g o c][lane]
  float* states = nullptr;  // [D][T][B][padded H]: h after each step; only with a mask
  size_t gates_bytes = 0;
  size_t states_bytes = 0;
  int width = 0;  // lanes of the instruction set that filled it in

  Residuals() = default;
  Residuals(const Residuals&) = delete;
  Residuals& operator=(const Residuals&) = delete;
  ~Residuals();
};

// One instruction set's implementation.
struct Lstm {
  const char* name;
  int width;  // floats in a vector register
  bool bf16;  // has instructions for products of bfloat16; without, Inputs.bf16 must be false
  void (*forward)(const Inputs&, const Outputs&, Residuals* or_null, Workers&);
  void (*backward)(const Inputs&, const Residuals&, const OutputGradients&, const InputGradients&,
                   Workers&);
  // The table's rows times the kernels, biases added, for many forward passes with the same weights:
  // how many floats that takes (batch and steps do not matter but must be 1 at least), and making it.
  int64_t (*projected_size)(const Inputs&);
  void (*project)(const Inputs&, float* projected, Workers&);
};

// The best that this processor can run, or the one chosen.
const Lstm& lstm();
// Chooses by name ("avx512", "avx2", "portable", "neon"; "": the best again); false if this
// processor or this build has none of that name.
bool choose_lstm(const char* name);

}  // namespace sentilab
