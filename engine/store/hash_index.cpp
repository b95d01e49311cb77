#include "engine/store/hash_index.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace vcpr::store {

namespace {

constexpr std::size_t kSmallestIndex = 32;

}  // namespace

void HashIndex::erase(std::uint32_t hash, std::uint32_t position) {
  std::size_t hole = cell_of(hash, position);
  for (std::size_t cell = after(hole); cells_[cell].position != kNowhere; cell = after(cell)) {
    // A pair may fill the hole unless that would put it before its home.
    std::size_t from_home = (cell - home(cells_[cell].hash)) & (cells_.size() - 1);
    std::size_t from_hole = (cell - hole) & (cells_.size() - 1);
    if (from_home < from_hole) continue;
    cells_[hole] = cells_[cell];
    hole = cell;
  }
  cells_[hole] = {};
  --used_;
}

void HashIndex::replace(std::uint32_t hash, std::uint32_t from, std::uint32_t to) {
  cells_[cell_of(hash, from)].position = to;
}

void HashIndex::clear() {
  if (used_ == 0) return;
  std::ranges::fill(cells_, Cell{});
  used_ = 0;
}

void HashIndex::reserve(std::size_t pairs) {
  std::size_t wanted = std::max(kSmallestIndex, std::bit_ceil(pairs * 2));
  if (wanted > cells_.size()) resize(wanted);
}

std::size_t HashIndex::cell_of(std::uint32_t hash, std::uint32_t position) const {
  std::size_t cell = home(hash);
  while (cells_[cell].position != position) cell = after(cell);
  return cell;
}

void HashIndex::resize(std::size_t cells) {
  std::vector<Cell> before = std::exchange(cells_, std::vector<Cell>(cells));
  for (Cell pair : before) {
    if (pair.position != kNowhere) place(pair);
  }
}

}  // namespace vcpr::store
