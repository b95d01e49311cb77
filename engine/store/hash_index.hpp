// From a hash to positions of a vector: open addressing, linear probing, no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vcpr::store {

/// Holds (hash, position) pairs; who has the position's contents decides what is equal. A cell carries the whole hash,
/// so that a look-up touches the contents of the wanted position only. At most half full.
class HashIndex {
 public:
  static constexpr std::uint32_t kNowhere = 0xffff'ffff;

  /// The first position under `hash` that `match(position)` accepts, else kNowhere.
  template <class Match>
  std::uint32_t find(std::uint32_t hash, Match match) const {
    if (cells_.empty()) return kNowhere;
    for (std::size_t cell = home(hash); cells_[cell].position != kNowhere; cell = after(cell)) {
      if (cells_[cell].hash == hash && match(cells_[cell].position)) return cells_[cell].position;
    }
    return kNowhere;
  }
  /// The pair must not be there yet.
  void insert(std::uint32_t hash, std::uint32_t position);
  /// The pair must be there.
  void erase(std::uint32_t hash, std::uint32_t position);
  /// The pair (hash, from) becomes (hash, to).
  void replace(std::uint32_t hash, std::uint32_t from, std::uint32_t to);
  void clear();
  /// Room for this many pairs without growing.
  void reserve(std::size_t pairs);

 private:
  struct Cell {
    std::uint32_t hash = 0;
    std::uint32_t position = kNowhere;
  };
  std::size_t home(std::uint32_t hash) const { return hash & (cells_.size() - 1); }
  std::size_t after(std::size_t cell) const { return (cell + 1) & (cells_.size() - 1); }
  std::size_t cell_of(std::uint32_t hash, std::uint32_t position) const;
  void place(Cell pair);
  void resize(std::size_t cells);

  std::vector<Cell> cells_;  ///< a power of two, or none
  std::size_t used_ = 0;
};

}  // namespace vcpr::store
