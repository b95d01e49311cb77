// Which parts of a block are populated (QEMU's RamDiscardManager: virtio-mem): only those may be mapped for a device.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/os/error.hpp"

namespace vcpr::memory {

class DiscardListener {
 public:
  virtual ~DiscardListener() = default;
  virtual Expected<void> populated(std::uint64_t offset, std::uint64_t size) = 0;
  virtual void discarded(std::uint64_t offset, std::uint64_t size) = 0;
};

class DiscardManager {
 public:
  /// `granularity`: what is populated and discarded is in whole units of it, and listeners hear of single units, so
  /// that any unit can be unmapped alone.
  DiscardManager(std::uint64_t size, std::uint64_t granularity) : size_(size), granularity_(granularity) {}

  /// bad_value (bounds, granularity, populated already), and what a listener refused; no effect then.
  Expected<void> populate(std::uint64_t offset, std::uint64_t size);
  /// bad_value (bounds, granularity, not populated).
  Expected<void> discard(std::uint64_t offset, std::uint64_t size);
  void listen(DiscardListener& listener);
  void forget(DiscardListener& listener);
  /// To this listener: each populated unit within [offset, offset + size), lowest first; stops at the first error.
  Expected<void> replay_populated(std::uint64_t offset, std::uint64_t size, DiscardListener& listener) const;
  bool is_populated(std::uint64_t offset) const;

 private:
  std::uint64_t size_;
  std::uint64_t granularity_;
  std::vector<bool> units_;
  std::vector<DiscardListener*> listeners_;
};

}  // namespace vcpr::memory
