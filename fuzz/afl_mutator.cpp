#include "fuzz/afl_mutator.hpp"

#include <algorithm>

namespace vcpr::fuzz {

std::span<std::uint8_t> AflMutator::mutant(std::span<const std::uint8_t> input, std::span<const std::uint8_t> other,
                                           std::size_t capacity) {
  const std::uint32_t seed = next_seed();
  if (room_.size() < capacity) room_.resize(capacity);
  const std::span room = std::span(room_).first(capacity);
  if (target_.cross_over != nullptr && !other.empty() && seed % kCrossOverEvery == 0) {
    return room.first(target_.cross_over(input, other, room, seed));
  }
  if (target_.mutate == nullptr || input.size() > capacity) return {};
  std::ranges::copy(input, room.begin());
  return room.first(target_.mutate(room.data(), input.size(), capacity, {seed, swarm_}));
}

/// SplitMix64: the mutators need no more of a seed than that each is another one.
std::uint32_t AflMutator::next_seed() {
  state_ += 0x9e3779b97f4a7c15u;
  std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return static_cast<std::uint32_t>(mixed >> 32);
}

}  // namespace vcpr::fuzz
