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
  /// Hashes that differ as chance has it stay below a third of this in a quarter of a million pairs (hash_index_test);
  /// hashes chosen to collide would make every look-up a walk over all of them.
  static constexpr std::size_t kMaxProbes = 256;

  /// The first position under `hash` that `match(position)` accepts, else kNowhere.
  template <class Match>
  std::uint32_t find(std::uint32_t hash, Match match) const {
    if (cells_.empty()) return kNowhere;
    for (std::size_t cell = home(hash); cells_[cell].position != kNowhere; cell = after(cell)) {
      if (cells_[cell].hash == hash && match(cells_[cell].position)) return cells_[cell].position;
    }
    return kNowhere;
  }
  /// True when a pair under `hash` would come to lie more than kMaxProbes cells from where it belongs.
  bool is_crowded(std::uint32_t hash) const {
    if (cells_.empty()) return false;
    std::size_t cell = home(hash);
    for (std::size_t probes = 0; cells_[cell].position != kNowhere; cell = after(cell)) {
      if (++probes > kMaxProbes) return true;
    }
    return false;
  }
  /// The pair must not be there yet.
  void insert(std::uint32_t hash, std::uint32_t position) {
    if (2 * (used_ + 1) > cells_.size()) reserve(used_ + 1);
    place({hash, position});
    ++used_;
  }
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
  void place(Cell pair) {
    std::size_t cell = home(pair.hash);
    while (cells_[cell].position != kNowhere) cell = after(cell);
    cells_[cell] = pair;
  }
  void resize(std::size_t cells);

  std::vector<Cell> cells_;  ///< a power of two, or none
  std::size_t used_ = 0;
};

}  // namespace vcpr::store
