// Which parts of a block are populated (QEMU's RamDiscardManager: virtio-mem): only those may be mapped for a device.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/memory/listeners.hpp"
#include "engine/os/error.hpp"

namespace vcpr::memory {

/// Units of one discard manager.
inline constexpr std::uint64_t kMaxDiscardUnits = 1u << 22;

class DiscardListener {
 public:
  virtual ~DiscardListener() = default;
  /// An error refuses the unit and leaves this listener without it.
  virtual Expected<void> populated(std::uint64_t offset, std::uint64_t size) = 0;
  virtual void discarded(std::uint64_t offset, std::uint64_t size) = 0;
};

class DiscardManager {
 public:
  /// For a block of `size` bytes, nothing of which is populated. `granularity`: what is populated and discarded is in
  /// whole units of it, and listeners hear of single units, so that any unit can be unmapped alone. It is whole pages,
  /// and the size is at most kMaxDiscardUnits of it.
  DiscardManager(std::uint64_t size, std::uint64_t granularity);

  /// bad_value (bounds, granularity, populated already), and what a listener refused; no effect then: who had taken a
  /// unit hears that it goes.
  Expected<void> populate(std::uint64_t offset, std::uint64_t size);
  /// bad_value (bounds, granularity, not populated).
  Expected<void> discard(std::uint64_t offset, std::uint64_t size);
  /// Does not replay.
  void listen(DiscardListener& listener);
  void forget(DiscardListener& listener);
  /// To this listener: each populated unit that lies within [offset, offset + size), lowest first; stops at the first
  /// error.
  Expected<void> replay_populated(std::uint64_t offset, std::uint64_t size, DiscardListener& listener) const;
  /// False outside.
  bool is_populated(std::uint64_t offset) const;
  std::uint64_t size() const { return size_; }
  std::uint64_t granularity() const { return granularity_; }

 private:
  Expected<void> check(std::uint64_t offset, std::uint64_t size, bool populated) const;
  void mark(std::uint64_t offset, std::uint64_t size, bool populated);
  Expected<void> populate_units(std::uint64_t offset, std::uint64_t size, DiscardListener& listener) const;
  void discard_units(std::uint64_t offset, std::uint64_t size, DiscardListener& listener) const;

  std::uint64_t size_;
  std::uint64_t granularity_;
  std::vector<bool> units_;
  Listeners<DiscardListener> listeners_;
};

}  // namespace vcpr::memory
