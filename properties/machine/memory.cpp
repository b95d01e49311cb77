#include "properties/machine/memory.hpp"

#include <algorithm>
#include <cstring>

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kFirstPages = 8;

std::uint32_t spread(std::uint64_t index) {
  return static_cast<std::uint32_t>((index * 0x9e3779b97f4a7c15u) >> 32);
}

}  // namespace

SparsePages::Entry* SparsePages::probe(std::uint64_t index) const {
  std::uint32_t at = spread(index) & (capacity_ - 1);
  while (entries_[at].page != nullptr && entries_[at].index != index) at = (at + 1) & (capacity_ - 1);
  return &entries_[at];
}

const std::byte* SparsePages::find(std::uint64_t index) const {
  return capacity_ == 0 ? nullptr : probe(index)->page;
}

std::byte* SparsePages::find_or_make(Arena& arena, std::uint64_t index) {
  if (capacity_ != 0 && probe(index)->page != nullptr) return probe(index)->page;
  if (!arena.has_room_for(2 * kPageBytes)) return nullptr;
  if (2 * (count_ + 1) > capacity_) resize(arena, capacity_ == 0 ? kFirstPages : 2 * capacity_);
  Entry* entry = probe(index);
  *entry = {index, arena.make_array<std::byte>(kPageBytes)};
  ++count_;
  return entry->page;
}

void SparsePages::resize(Arena& arena, std::uint32_t capacity) {
  Entry* old = entries_;
  const std::uint32_t old_capacity = capacity_;
  entries_ = arena.make_array<Entry>(capacity);
  capacity_ = capacity;
  for (std::uint32_t i = 0; i < old_capacity; ++i)
    if (old[i].page != nullptr) *probe(old[i].index) = old[i];
  if (old != nullptr) arena.give_back(old, old_capacity * sizeof(Entry));
}

void SparsePages::clear(Arena& arena) {
  drop_from(arena, 0);
  if (entries_ != nullptr) arena.give_back(entries_, capacity_ * sizeof(Entry));
  *this = {};
}

void SparsePages::drop_from(Arena& arena, std::uint64_t first) {
  if (count_ == 0) return;
  for (std::uint32_t i = 0; i < capacity_; ++i) {
    if (entries_[i].page == nullptr || entries_[i].index < first) continue;
    arena.give_back(std::exchange(entries_[i].page, nullptr), kPageBytes);
    --count_;
  }
  resize(arena, capacity_);  // closes the gaps in the probe sequences
}

void SparsePages::copy_from(Arena& arena, const SparsePages& other) {
  other.for_each([&](std::uint64_t index, const std::byte* page) {
    if (std::byte* copy = find_or_make(arena, index)) std::memcpy(copy, page, kPageBytes);
  });
}

void Memory::resize(Arena& arena, std::uint64_t size) {
  if (size < size_) {
    pages_.drop_from(arena, (size + kPageBytes - 1) / kPageBytes);
    const std::uint64_t inside = size % kPageBytes;
    if (inside != 0 && pages_.find(size / kPageBytes) != nullptr)
      std::memset(pages_.find_or_make(arena, size / kPageBytes) + inside, 0, kPageBytes - inside);
  }
  size_ = size;
}

std::size_t Memory::read(std::uint64_t offset, std::span<std::byte> buffer) const {
  if (offset >= size_) return 0;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - offset));
  for (std::size_t done = 0; done < count;) {
    const std::uint64_t inside = (offset + done) % kPageBytes;
    const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, kPageBytes - inside));
    const std::byte* page = pages_.find((offset + done) / kPageBytes);
    if (page != nullptr)
      std::memcpy(buffer.data() + done, page + inside, piece);
    else
      std::memset(buffer.data() + done, 0, piece);
    done += piece;
  }
  return count;
}

std::size_t Memory::write(Arena& arena, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::uint64_t inside = (offset + done) % kPageBytes;
    std::byte* page = pages_.find_or_make(arena, (offset + done) / kPageBytes);
    if (page == nullptr) break;
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - done, kPageBytes - inside));
    std::memcpy(page + inside, bytes.data() + done, piece);
    done += piece;
  }
  if (done != 0) size_ = std::max(size_, offset + done);
  return done;
}

void release(Arena& arena, Memory& memory) {
  if (--memory.references != 0) return;
  memory.destroy(arena);
  arena.destroy(&memory);
}

}  // namespace vcpr::machine
