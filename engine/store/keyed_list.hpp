// A list of values with unique (name, id) keys, in order of insertion, with every operation O(1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/hash_index.hpp"
#include "engine/store/key.hpp"
#include "engine/store/key_hash.hpp"

namespace vcpr::store {

/// Names lie in one arena, slots in one vector; a small list is searched without an index, so that it costs two
/// allocations. Removing leaves a dead slot; once the dead outnumber the live, compact() is due.
template <class Value>
class KeyedList {
 public:
  static constexpr std::uint32_t kNowhere = HashIndex::kNowhere;
  /// Up to this many slots are searched one by one.
  static constexpr std::size_t kScanned = 8;

  /// Position of the key whose hash_of is `hash`; kNowhere when absent.
  std::uint32_t find(const Key& key, std::uint32_t hash) const {
    auto matches = [&](std::uint32_t position) { return key_at(position) == key; };
    if (indexed()) return index_.find(hash, matches);
    for (std::uint32_t position = 0; position < slots_.size(); ++position) {
      if (slots_[position].live && slots_[position].hash == hash && matches(position)) return position;
    }
    return kNowhere;
  }
  std::uint32_t find(const Key& key) const { return find(key, hash_of(key)); }

  /// True when so many keys share their hash, or nearly, that another would be slow to find: no chance, but intent.
  bool is_crowded(std::uint32_t hash) const { return indexed() && index_.is_crowded(hash); }

  /// The key must be absent, its name valid.
  std::uint32_t append(const Key& key, std::uint32_t hash, Value value) {
    auto position = static_cast<std::uint32_t>(slots_.size());
    if (slots_.empty()) reserve(0, 0);
    slots_.push_back({hash, static_cast<std::uint32_t>(names_.size()), key.id,
                      static_cast<std::uint16_t>(key.name.size()), true, std::move(value)});
    names_ += key.name;
    ++live_;
    if (position == kScanned) {
      build_index();
    } else if (indexed()) {
      index_.insert(hash, position);
    }
    return position;
  }

  void erase(std::uint32_t position) {
    if (indexed()) index_.erase(slots_[position].hash, position);
    slots_[position].live = false;
    --live_;
  }
  /// The dead outnumber the live: compact() now keeps walking and memory proportional to what is there.
  bool compaction_due() const { return indexed() && slots_.size() > 2 * live_; }
  /// Drops dead slots; every position may change.
  void compact() {
    KeyedList kept;
    kept.reserve(live_, names_.size());
    for (std::uint32_t position = first(); position != kNowhere; position = next(position)) {
      kept.append(key_at(position), slots_[position].hash, std::move(slots_[position].value));
    }
    *this = std::move(kept);
  }

  Value& value(std::uint32_t position) { return slots_[position].value; }
  const Value& value(std::uint32_t position) const { return slots_[position].value; }
  /// A view that dies with the next append or compact.
  Key key_at(std::uint32_t position) const {
    const Slot& slot = slots_[position];
    return {{names_.data() + slot.name_offset, slot.name_bytes}, slot.id};
  }
  std::size_t size() const { return live_; }
  bool indexed() const { return slots_.size() > kScanned; }

  /// Positions of the live in order of insertion, kNowhere after the last.
  std::uint32_t first() const { return live_from(0); }
  std::uint32_t next(std::uint32_t position) const { return live_from(position + 1); }

  /// At least room for a small list.
  void reserve(std::size_t entries, std::size_t name_bytes) {
    slots_.reserve(std::max(entries, kScanned));
    names_.reserve(std::max(name_bytes, kScanned * kTypicalNameBytes));
    if (entries > kScanned) index_.reserve(entries);
  }

 private:
  static constexpr std::size_t kTypicalNameBytes = 24;

  struct Slot {
    std::uint32_t hash;
    std::uint32_t name_offset;
    std::int32_t id;
    std::uint16_t name_bytes;
    bool live;
    Value value;
  };

  void build_index() {
    for (std::uint32_t position = first(); position != kNowhere; position = next(position)) {
      index_.insert(slots_[position].hash, position);
    }
  }
  std::uint32_t live_from(std::uint32_t position) const {
    while (position < slots_.size() && !slots_[position].live) ++position;
    return position < slots_.size() ? position : kNowhere;
  }

  std::vector<Slot> slots_;
  std::string names_;
  HashIndex index_;
  std::size_t live_ = 0;
};

}  // namespace vcpr::store
