#include "memory.h"

#include <cstdlib>
#include <list>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "lstm.h"

namespace sentilab {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

struct Kept {
  void* memory;
  size_t bytes;
};

struct Pool {
  std::mutex mutex;
  std::list<Kept> kept;  // oldest first
  size_t bytes = 0;
  size_t limit = size_t{512} << 20;
};

Pool& pool() {
  static Pool* one = new Pool;  // never destroyed: other threads may still run at exit
  return *one;
}

// Sizes that depend on a batch's words differ a little from batch to batch: rounded up by at most an
// eighth they are the same, and a block is found again.
size_t rounded(size_t bytes) {
  size_t step = 64;
  while (16 * step <= bytes) step *= 2;
  return bytes == 0 ? step : (bytes + step - 1) / step * step;
}

void trim(Pool& from) {
  while (from.bytes > from.limit) {
    from.bytes -= from.kept.front().bytes;
    std::free(from.kept.front().memory);
    from.kept.pop_front();
  }
}

}  // namespace

void* take_memory(size_t bytes) {
  bytes = rounded(bytes);
  {
    Pool& from = pool();
    std::lock_guard<std::mutex> lock(from.mutex);
    for (auto one = from.kept.rbegin(); one != from.kept.rend(); ++one) {
      if (one->bytes == bytes) {
        void* memory = one->memory;
        from.bytes -= bytes;
        from.kept.erase(std::next(one).base());
        return memory;
      }
    }
  }
  const bool huge = bytes >= 2 * kHugePage;
  const size_t alignment = huge ? kHugePage : 64;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
  if (huge) madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: where it is refused, nothing is lost
#endif
  return memory;
}

void give_memory(void* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  bytes = rounded(bytes);
  Pool& to = pool();
  std::lock_guard<std::mutex> lock(to.mutex);
  try {
    to.kept.push_back({memory, bytes});
  } catch (const std::bad_alloc&) {
    std::free(memory);
    return;
  }
  to.bytes += bytes;
  trim(to);
}

void set_kept_memory(size_t bytes) {
  Pool& one = pool();
  std::lock_guard<std::mutex> lock(one.mutex);
  one.limit = bytes;
  trim(one);
}

Floats::Floats(size_t count)
    : bytes_(count * sizeof(float)), data_(static_cast<float*>(take_memory(bytes_))) {}
Floats::~Floats() { give_memory(data_, bytes_); }
float* Floats::data() const { return data_; }

Residuals::~Residuals() {
  give_memory(gates, gates_bytes);
  give_memory(states, states_bytes);
}

}  // namespace sentilab
