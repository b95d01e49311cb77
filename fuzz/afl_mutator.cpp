#include "fuzz/afl_mutator.hpp"

#include <algorithm>

namespace vcpr::fuzz {

std::span<std::uint8_t> AflMutator::mutant(std::span<const std::uint8_t> input, std::span<const std::uint8_t> other,
                                           std::size_t capacity) {
  const auto seed = static_cast<std::uint32_t>(choice_.next());
  if (room_.size() < capacity) room_.resize(capacity);
  const std::span room = std::span(room_).first(capacity);
  if (target_.cross_over != nullptr && !other.empty() && seed % kCrossOverEvery == 0) {
    return room.first(target_.cross_over(input, other, room, seed));
  }
  if (target_.mutate == nullptr || input.size() > capacity) return {};
  std::ranges::copy(input, room.begin());
  return room.first(target_.mutate(room.data(), input.size(), capacity, {seed, swarm_}));
}

}  // namespace vcpr::fuzz
