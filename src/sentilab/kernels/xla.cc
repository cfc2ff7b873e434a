// The LSTM as two XLA custom calls, and the few functions that Python calls directly.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adam.h"
#include "lstm.h"
#include "memory.h"
#include "dense.h"
#include "embedding.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace sentilab {
namespace {

// ---- threads ---------------------------------------------------------------------------------

std::atomic<int> asked_threads{0};  // 0: as many as XLA's pool has

// Tasks on the calling thread and, as far as they are free, on threads of XLA's own pool. The
// caller never waits for a task that nobody has begun: it does those itself. So nothing can
// deadlock however busy the pool is, and a thread that is slow or late takes fewer tasks.
class PoolWorkers final : public Workers {
 public:
  explicit PoolWorkers(ffi::ThreadPool& pool) : pool_(pool) {
    const int asked = asked_threads.load(std::memory_order_relaxed);
    const int64_t there = pool.num_threads();
    helpers_ = (asked > 0 && asked < there ? asked : there) - 1;
  }

  void run(int64_t tasks, Task task, void* context) override {
    if (tasks == 1 || helpers_ < 1) {
      for (int64_t number = 0; number < tasks; ++number) task(context, number);
      return;
    }
    auto shared = std::make_shared<Shared>(tasks, task, context);
    for (int64_t i = 0; i < helpers_ && i < tasks - 1; ++i) {
      pool_.Schedule([shared] { shared->work(); });
    }
    shared->work();
    shared->wait();
  }

 private:
  struct Shared {
    Shared(int64_t count, Task what, void* of)
        : tasks(count), task(what), context(of) {}

    void work() {
      int64_t finished = 0;
      for (int64_t number; (number = next.fetch_add(1)) < tasks; ++finished) {
        try {
          task(context, number);
        } catch (...) {
          std::lock_guard<std::mutex> lock(mutex);
          if (!error) error = std::current_exception();
        }
      }
      if (finished > 0) {
        std::lock_guard<std::mutex> lock(mutex);
        done += finished;
        if (done == tasks) all_done.notify_one();
      }
    }

    void wait() {
      std::unique_lock<std::mutex> lock(mutex);
      all_done.wait(lock, [this] { return done == tasks; });
      if (error) std::rethrow_exception(error);
    }

    const int64_t tasks;
    const Task task;
    void* const context;
    std::atomic<int64_t> next{0};
    std::mutex mutex;
    std::condition_variable all_done;
    int64_t done = 0;
    std::exception_ptr error;
  };

  ffi::ThreadPool& pool_;
  int64_t helpers_;
};

// ---- residuals -------------------------------------------------------------------------------

// Forward passes' residuals by ticket, until their backward pass takes them. A cache, not the
// truth: where a ticket's residuals are gone (its backward pass ran before, or too many forward
// passes came between), the backward pass computes them anew from the same inputs, to the same bits.
// As XLA buffers they would be allocated, and their pages touched for the first time, in each step.
class Cache {
 public:
  uint64_t put(std::unique_ptr<Residuals> residuals) {
    std::lock_guard<std::mutex> lock(mutex_);
    bytes_ += size(*residuals);
    kept_.push_back({++last_, std::move(residuals)});
    while (bytes_ > kLimit && kept_.size() > 1) drop(kept_.begin());
    return last_;
  }

  std::unique_ptr<Residuals> take(uint64_t ticket) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto one = kept_.begin(); one != kept_.end(); ++one) {
      if (one->ticket == ticket) {
        std::unique_ptr<Residuals> residuals = std::move(one->residuals);
        bytes_ -= size(*residuals);
        kept_.erase(one);
        return residuals;
      }
    }
    return nullptr;
  }

 private:
  static constexpr size_t kLimit = size_t{1} << 30;
  struct Kept {
    uint64_t ticket;
    std::unique_ptr<Residuals> residuals;
  };
  static size_t size(const Residuals& one) { return one.gates_bytes + one.states_bytes; }
  void drop(std::deque<Kept>::iterator one) {
    bytes_ -= size(*one->residuals);
    kept_.erase(one);
  }

  std::mutex mutex_;
  std::deque<Kept> kept_;  // oldest first
  size_t bytes_ = 0;
  uint64_t last_ = 0;
};

Cache& cache() {
  static Cache* one = new Cache;  // never destroyed: other threads may still run at exit
  return *one;
}

// ---- arguments -------------------------------------------------------------------------------

// What the calls' attribute `options` says; kernels/__init__.py has the same bits.
enum Options : int64_t {
  kBidirectional = 1,
  kReverse = 2,  // the first, or only, direction
  kTokens = 4,
  kMask = 8,
  kZeroMasked = 16,
  kBias = 32,
  kState = 64,
  kSequences = 128,
  kResiduals = 256,
  kBf16 = 512,
  kRecurrentDropout = 1024,
};

// Reads buffers off one after another.
template <class Remaining>
class Buffers {
 public:
  explicit Buffers(Remaining& all) : all_(all) {}
  void* next();
  ffi::Span<const int64_t> shape;  // of the last one

 private:
  Remaining& all_;
  size_t at_ = 0;
};

template <>
void* Buffers<ffi::RemainingArgs>::next() {
  auto buffer = all_.get<ffi::AnyBuffer>(at_++);
  shape = buffer->dimensions();
  return buffer->untyped_data();
}

template <>
void* Buffers<ffi::RemainingRets>::next() {
  auto buffer = all_.get<ffi::AnyBuffer>(at_++);
  shape = (*buffer)->dimensions();
  return (*buffer)->untyped_data();
}

template <class Remaining>
float* next_floats(Buffers<Remaining>& from) {
  return static_cast<float*>(from.next());
}

Inputs read_inputs(Buffers<ffi::RemainingArgs>& from, int64_t options) {
  Inputs in{};
  in.directions = options & kBidirectional ? 2 : 1;
  if (options & kTokens) {
    in.table = next_floats(from);
    in.words = from.shape[0];
    in.inputs = from.shape[1];
    in.tokens = static_cast<const int32_t*>(from.next());
  } else {
    in.x = next_floats(from);
    in.inputs = from.shape[2];
  }
  in.batch = from.shape[0];
  in.steps = from.shape[1];
  if (options & kMask) in.mask = static_cast<const uint8_t*>(from.next());
  in.zero_masked = options & kZeroMasked;
  in.bf16 = options & kBf16;
  for (int d = 0; d < in.directions; ++d) {
    Direction& direction = in.direction[d];
    direction.kernel = next_floats(from);
    direction.recurrent_kernel = next_floats(from);
    in.units = from.shape[0];
    if (options & kBias) direction.bias = next_floats(from);
    if (options & kState) {
      direction.h0 = next_floats(from);
      direction.c0 = next_floats(from);
    }
    if (options & kRecurrentDropout) direction.recurrent_dropout = next_floats(from);
    direction.reverse = ((options & kReverse) != 0) != (d == 1);
  }
  return in;
}

// The layers see to it; but another instruction set may have been chosen since.
ffi::Error check_bf16(const Inputs& in) {
  if (!in.bf16 || lstm().bf16) return ffi::Error::Success();
  return ffi::Error(ffi::ErrorCode::kFailedPrecondition,
                    std::string("products of bfloat16 factors were asked for, and the instruction "
                                "set that runs, ") + lstm().name + ", has none");
}

ffi::Error check_tokens(const Inputs& in) {
  for (int64_t p = 0; in.tokens != nullptr && p < in.batch * in.steps; ++p) {
    if (in.tokens[p] >= in.words || in.tokens[p] < -in.words) {
      return ffi::Error::InvalidArgument(
          "token " + std::to_string(in.tokens[p]) + " at text " + std::to_string(p / in.steps) +
          ", position " + std::to_string(p % in.steps) + " is outside the embedding's " +
          std::to_string(in.words) + " rows");
    }
  }
  return ffi::Error::Success();
}

// ---- the calls -------------------------------------------------------------------------------

ffi::Error run_forward(ffi::ThreadPool pool, int64_t options, ffi::RemainingArgs arguments,
                       ffi::RemainingRets results) try {
  Buffers<ffi::RemainingArgs> given(arguments);
  const Inputs in = read_inputs(given, options);
  if (ffi::Error error = check_bf16(in); error.failure()) return error;
  if (ffi::Error error = check_tokens(in); error.failure()) return error;
  Buffers<ffi::RemainingRets> to(results);
  Outputs out{};
  if (options & kSequences) out.y = next_floats(to);
  out.h = next_floats(to);
  out.c = next_floats(to);
  PoolWorkers workers(pool);
  if (!(options & kResiduals)) {
    lstm().forward(in, out, nullptr, workers);
    return ffi::Error::Success();
  }
  auto residuals = std::make_unique<Residuals>();
  lstm().forward(in, out, residuals.get(), workers);
  const uint64_t ticket = cache().put(std::move(residuals));
  uint32_t* halves = static_cast<uint32_t*>(to.next());
  halves[0] = static_cast<uint32_t>(ticket);
  halves[1] = static_cast<uint32_t>(ticket >> 32);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the LSTM kernel: ") + error.what());
}

ffi::Error run_backward(ffi::ThreadPool pool, int64_t options, ffi::RemainingArgs arguments,
                        ffi::RemainingRets results) try {
  Buffers<ffi::RemainingArgs> given(arguments);
  const Inputs in = read_inputs(given, options);
  if (ffi::Error error = check_bf16(in); error.failure()) return error;
  OutputGradients out{};
  if (options & kSequences) out.y = next_floats(given);
  out.h = next_floats(given);
  out.c = next_floats(given);
  const uint32_t* halves = static_cast<const uint32_t*>(given.next());

  Buffers<ffi::RemainingRets> to(results);
  InputGradients gradients{};
  (options & kTokens ? gradients.table : gradients.x) = next_floats(to);
  for (int d = 0; d < in.directions; ++d) {
    DirectionGradients& direction = gradients.direction[d];
    direction.kernel = next_floats(to);
    direction.recurrent_kernel = next_floats(to);
    if (options & kBias) direction.bias = next_floats(to);
    if (options & kState) {
      direction.h0 = next_floats(to);
      direction.c0 = next_floats(to);
    }
  }
  PoolWorkers workers(pool);
  auto residuals = cache().take(halves[0] | static_cast<uint64_t>(halves[1]) << 32);
  if (residuals == nullptr || residuals->width != lstm().width) {
    const size_t width = static_cast<size_t>(in.directions * in.batch * in.units);
    const Floats h(width), c(width);
    residuals = std::make_unique<Residuals>();
    lstm().forward(in, Outputs{nullptr, h.data(), c.data()}, residuals.get(), workers);
  }
  lstm().backward(in, *residuals, out, gradients, workers);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the LSTM kernel: ") + error.what());
}

ffi::Error run_adam(ffi::ThreadPool pool, float one_less_beta_1, float one_less_beta_2,
                    float epsilon, ffi::Buffer<ffi::F32> parameters,
                    ffi::Buffer<ffi::F32> momentums, ffi::Buffer<ffi::F32> velocities,
                    ffi::Buffer<ffi::F32> gradients, ffi::Buffer<ffi::F32> alpha,
                    ffi::AnyBuffer,
                    ffi::ResultBuffer<ffi::F32> new_parameters,
                    ffi::ResultBuffer<ffi::F32> new_momentums,
                    ffi::ResultBuffer<ffi::F32> new_velocities) try {
  PoolWorkers workers(pool);
  adam({parameters.typed_data(), momentums.typed_data(), velocities.typed_data(),
        gradients.typed_data(), new_parameters->typed_data(), new_momentums->typed_data(),
        new_velocities->typed_data(), static_cast<int64_t>(parameters.element_count()),
        *alpha.typed_data(), one_less_beta_1, one_less_beta_2, epsilon},
       workers);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the Adam kernel: ") + error.what());
}

using Matrix = ffi::Buffer<ffi::F32, 2>;
using Ids = ffi::Buffer<ffi::S32, 1>;

// The arguments are x and w, dy and w, or x and dy: `sizes` are made of theirs.
template <void (*product)(const float*, const float*, const DenseSizes&, float*, Workers&)>
ffi::Error run_product(ffi::ThreadPool pool, const Matrix& left, const Matrix& right,
                       const DenseSizes& sizes, ffi::Result<Matrix> result) try {
  PoolWorkers workers(pool);
  product(left.typed_data(), right.typed_data(), sizes, result->typed_data(), workers);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the dense layer's kernel: ") + error.what());
}

ffi::Error run_dense(ffi::ThreadPool pool, Matrix x, Matrix w, ffi::Result<Matrix> y) {
  const DenseSizes sizes{x.dimensions()[0], x.dimensions()[1], w.dimensions()[1]};
  return run_product<dense>(pool, x, w, sizes, y);
}

ffi::Error run_dense_by_input(ffi::ThreadPool pool, Matrix dy, Matrix w, ffi::Result<Matrix> dx) {
  const DenseSizes sizes{dy.dimensions()[0], w.dimensions()[0], w.dimensions()[1]};
  return run_product<dense_by_input>(pool, dy, w, sizes, dx);
}

ffi::Error run_dense_by_weights(ffi::ThreadPool pool, Matrix x, Matrix dy, ffi::Result<Matrix> dw) {
  const DenseSizes sizes{x.dimensions()[0], x.dimensions()[1], dy.dimensions()[1]};
  return run_product<dense_by_weights>(pool, x, dy, sizes, dw);
}

ffi::Error run_embedding(ffi::ThreadPool pool, Matrix table, Ids ids, ffi::Result<Matrix> result) try {
  PoolWorkers workers(pool);
  embedding({table.typed_data(), ids.typed_data(), result->dimensions()[0], table.dimensions()[0],
             table.dimensions()[1], result->typed_data()},
            workers);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the embedding's kernel: ") + error.what());
}

ffi::Error run_embedding_gradient(ffi::ThreadPool pool, Ids ids, Matrix dy,
                                  ffi::Result<Matrix> result) try {
  PoolWorkers workers(pool);
  embedding_gradient({ids.typed_data(), dy.typed_data(), dy.dimensions()[0],
                      result->dimensions()[0], result->dimensions()[1], result->typed_data()},
                     workers);
  return ffi::Error::Success();
} catch (const std::exception& error) {
  return ffi::Error::Internal(std::string("the embedding's kernel: ") + error.what());
}

}  // namespace
}  // namespace sentilab

#define SENTILAB_EXPORT extern "C" __attribute__((visibility("default")))

SENTILAB_EXPORT XLA_FFI_Error* SentilabLstmForward(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabLstmBackward(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabAdam(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabDense(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabDenseByInput(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabDenseByWeights(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabEmbedding(XLA_FFI_CallFrame*);
SENTILAB_EXPORT XLA_FFI_Error* SentilabEmbeddingGradient(XLA_FFI_CallFrame*);

XLA_FFI_DEFINE_HANDLER_SYMBOL(SentilabLstmForward, sentilab::run_forward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Attr<int64_t>("options")
                                  .RemainingArgs()
                                  .RemainingRets());
XLA_FFI_DEFINE_HANDLER_SYMBOL(SentilabLstmBackward, sentilab::run_backward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Attr<int64_t>("options")
                                  .RemainingArgs()
                                  .RemainingRets());

XLA_FFI_DEFINE_HANDLER_SYMBOL(SentilabAdam, sentilab::run_adam,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Attr<float>("one_less_beta_1")
                                  .Attr<float>("one_less_beta_2")
                                  .Attr<float>("epsilon")
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::Buffer<ffi::F32>>()
                                  .Ret<ffi::Buffer<ffi::F32>>()
                                  .Ret<ffi::Buffer<ffi::F32>>());

#define SENTILAB_PRODUCT(name, function)                             \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, sentilab::function,            \
                                ffi::Ffi::Bind()                     \
                                    .Ctx<ffi::ThreadPool>()          \
                                    .Arg<sentilab::Matrix>()         \
                                    .Arg<sentilab::Matrix>()         \
                                    .Ret<sentilab::Matrix>())
SENTILAB_PRODUCT(SentilabDense, run_dense);
SENTILAB_PRODUCT(SentilabDenseByInput, run_dense_by_input);
SENTILAB_PRODUCT(SentilabDenseByWeights, run_dense_by_weights);

XLA_FFI_DEFINE_HANDLER_SYMBOL(SentilabEmbedding, sentilab::run_embedding,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<sentilab::Matrix>()
                                  .Arg<sentilab::Ids>()
                                  .Ret<sentilab::Matrix>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(SentilabEmbeddingGradient, sentilab::run_embedding_gradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<sentilab::Ids>()
                                  .Arg<sentilab::Matrix>()
                                  .Ret<sentilab::Matrix>());

SENTILAB_EXPORT const char* sentilab_instruction_set() { return sentilab::lstm().name; }
SENTILAB_EXPORT int sentilab_choose_instruction_set(const char* name) {
  return sentilab::choose_lstm(name);
}
SENTILAB_EXPORT int sentilab_has_bf16() { return sentilab::lstm().bf16; }
SENTILAB_EXPORT void sentilab_set_threads(int threads) { sentilab::asked_threads = threads; }
SENTILAB_EXPORT int sentilab_threads() { return sentilab::asked_threads; }
SENTILAB_EXPORT void sentilab_set_kept_memory(size_t bytes) { sentilab::set_kept_memory(bytes); }
