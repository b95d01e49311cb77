// The memory of one Machine: bumped from a static arena, given back as a whole.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace vcpr::machine {

/// Only one arena at a time has the static storage; another alive meanwhile lives on the heap. What is not handed out
/// is poisoned under AddressSanitizer, so that a use after release inside the machine is seen. Not thread safe.
class Arena {
 public:
  static constexpr std::size_t kStaticBytes = std::size_t{4} << 20;
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  /// Handlers that allocate for their caller answer ENOMEM or ENOSPC beyond this.
  static constexpr std::size_t kLimitBytes = std::size_t{256} << 20;

  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised, aligned for everything. Sizes are rounded up to a power of two.
  void* take(std::size_t bytes) {
    const int bin = bin_of(bytes);
    Free* block = free_[bin];
    return block == nullptr ? bump(bytes, bin) : reuse(block, bytes, bin);
  }
  /// `bytes` as asked for.
  void give_back(void* block, std::size_t bytes);

  template <class T, class... Arguments>
  T* make(Arguments&&... arguments) {
    return ::new (take(sizeof(T))) T(std::forward<Arguments>(arguments)...);
  }
  template <class T>
  void destroy(T* object) {
    object->~T();
    give_back(object, sizeof(T));
  }
  /// Value-initialised.
  template <class T>
  T* make_array(std::size_t count) {
    return ::new (take(count * sizeof(T))) T[count]();
  }
  bool has_room_for(std::size_t bytes) const { return bytes <= kLimitBytes && taken_ <= kLimitBytes - bytes; }

 private:
  struct Free {
    Free* next;
  };
  struct Chunk {
    Chunk* next;
    std::size_t bytes;
  };
  static constexpr std::size_t kSmallest = 16;
  static constexpr int kBins = 28;

  static int bin_of(std::size_t bytes) { return static_cast<int>(std::bit_width((bytes - (bytes != 0)) / kSmallest)); }
  void* bump(std::size_t bytes, int bin);
  void* reuse(Free* block, std::size_t bytes, int bin);
  void add_chunk(std::size_t bytes);

  Free* free_[kBins] = {};
  std::byte* begin_ = nullptr;  // of the current piece
  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::byte* static_top_ = nullptr;  // how far the static storage was used, once it is full
  Chunk* chunks_ = nullptr;
  std::size_t taken_ = 0;  // handed out and not given back
  bool has_static_ = false;
};

}  // namespace vcpr::machine
