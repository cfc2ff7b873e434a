// Scratch memory that is kept from one call to the next: fresh pages cost the kernel more than the
// arithmetic that fills them.

#pragma once

#include <cstddef>

namespace sentilab {

// Memory of at least this size, 64-byte aligned, not initialised; taken from what was given back where
// there is a block that was made for about this size. Never null: throws std::bad_alloc.
void* take_memory(size_t bytes);
void give_memory(void* memory, size_t bytes) noexcept;

// What is kept for later at most; beyond it, what was given back longest ago is freed.
void set_kept_memory(size_t bytes);

// A block for as long as a scope lasts. Defined in memory.cc, not here: see lstm_body.h.
class Floats {
 public:
  explicit Floats(size_t count);
  ~Floats();
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  float* data() const;

 private:
  const size_t bytes_;
  float* const data_;
};

}  // namespace sentilab
