#include "properties/machine/arena.hpp"

#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define VCPR_MACHINE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VCPR_MACHINE_ASAN 1
#endif
#endif
#ifdef VCPR_MACHINE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace vcpr::machine {

namespace {

// The only state that outlives a Machine: raw bytes and whether they are lent. Nothing in them is read by the next one.
alignas(64) std::byte static_storage[Arena::kStaticBytes];
bool static_storage_lent = false;
#ifdef VCPR_MACHINE_ASAN
bool static_storage_poisoned = false;  // what no Machine has used yet, too
#endif

}  // namespace

Arena::Arena() : has_static_(!static_storage_lent) {
  if (!has_static_) {
    add_chunk(kChunkBytes);
    return;
  }
  static_storage_lent = true;
#ifdef VCPR_MACHINE_ASAN
  if (!std::exchange(static_storage_poisoned, true)) ASAN_POISON_MEMORY_REGION(static_storage, kStaticBytes);
#endif
  begin_ = next_ = static_storage;
  end_ = static_storage + kStaticBytes;
}

Arena::~Arena() {
  if (has_static_) {
    std::byte* top = static_top_ != nullptr ? static_top_ : next_;
    ASAN_POISON_MEMORY_REGION(static_storage, static_cast<std::size_t>(top - static_storage));
    static_storage_lent = false;
  }
  while (chunks_ != nullptr) {
    Chunk* chunk = std::exchange(chunks_, chunks_->next);
    ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->bytes);
    std::free(chunk);
  }
}

void Arena::add_chunk(std::size_t bytes) {
  if (has_static_ && static_top_ == nullptr) static_top_ = next_;
  void* memory = std::malloc(bytes + sizeof(Chunk));
  if (memory == nullptr) std::abort();  // the host itself is out of memory: kLimitBytes bounds what we ask for
  chunks_ = ::new (memory) Chunk{chunks_, bytes + sizeof(Chunk)};
  begin_ = next_ = static_cast<std::byte*>(memory) + sizeof(Chunk);
  end_ = begin_ + bytes;
  ASAN_POISON_MEMORY_REGION(begin_, bytes);
}

void* Arena::bump(std::size_t bytes, int bin) {
  const std::size_t whole = kSmallest << bin;
  if (static_cast<std::size_t>(end_ - next_) < whole) add_chunk(whole > kChunkBytes ? whole : kChunkBytes);
  std::byte* block = std::exchange(next_, next_ + whole);
  taken_ += whole;
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
  return block;
}

void* Arena::reuse(Free* block, std::size_t bytes, int bin) {
  ASAN_UNPOISON_MEMORY_REGION(block, sizeof(Free));
  free_[bin] = block->next;
  ASAN_POISON_MEMORY_REGION(block, sizeof(Free));
  taken_ += kSmallest << bin;
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
  return block;
}

void Arena::give_back(void* block, std::size_t bytes) {
  const int bin = bin_of(bytes);
  ASAN_UNPOISON_MEMORY_REGION(block, sizeof(Free));
  free_[bin] = ::new (block) Free{free_[bin]};
  taken_ -= kSmallest << bin;
  ASAN_POISON_MEMORY_REGION(block, kSmallest << bin);
}

}  // namespace vcpr::machine
