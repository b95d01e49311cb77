// An append-only record of facts, in chunks: what happened is never forgotten and never moves.
#pragma once

#include <cstdint>

#include "properties/machine/arena.hpp"

namespace vcpr::machine {

template <class Fact>
class Log {
  struct Chunk;

 public:
  /// Between two facts; a new one is before the first.
  struct Place {
    const Chunk* chunk = nullptr;
    std::uint32_t used = 0;
    bool operator==(const Place&) const = default;
  };

  void append(Arena& arena, const Fact& fact) {
    if (last_ == nullptr || last_->used == kPerChunk) add_chunk(arena);
    last_->facts[last_->used++] = fact;
    ++size_;
  }
  std::uint64_t size() const { return size_; }
  template <class Visit>
  void for_each(Visit visit) const {
    for_each_after(Place(), visit);
  }
  Place end() const { return {last_, last_ != nullptr ? last_->used : 0}; }
  /// What was appended since end() was there.
  template <class Visit>
  void for_each_after(const Place& place, Visit visit) const {
    std::uint32_t next = place.used;
    for (const Chunk* chunk = place.chunk != nullptr ? place.chunk : first_; chunk != nullptr; chunk = chunk->next) {
      for (; next < chunk->used; ++next) visit(chunk->facts[next]);
      next = 0;
    }
  }

 private:
  static constexpr std::uint32_t kPerChunk = 31;
  struct Chunk {
    Chunk* next;
    std::uint32_t used;
    Fact facts[kPerChunk];
  };

  void add_chunk(Arena& arena) {
    auto* chunk = static_cast<Chunk*>(arena.take(sizeof(Chunk)));
    chunk->next = nullptr;
    chunk->used = 0;
    (last_ != nullptr ? last_->next : first_) = chunk;
    last_ = chunk;
  }

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace vcpr::machine
