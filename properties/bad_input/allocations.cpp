#include "properties/bad_input/allocations.hpp"

#include <algorithm>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::size_t bytes_held = 0;
std::size_t bytes_at_most = 0;

}  // namespace

void* operator new(std::size_t size) {
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) std::abort();
  bytes_held += malloc_usable_size(memory);
  bytes_at_most = std::max(bytes_at_most, bytes_held);
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) bytes_held -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

namespace vcpr::bad_input {

Allocations::Allocations() : before_(bytes_held) {
  bytes_at_most = bytes_held;
}

std::size_t Allocations::peak() const {
  return bytes_at_most - before_;
}

}  // namespace vcpr::bad_input
