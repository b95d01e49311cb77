// A second reader of CPR states, written from the format alone: what the engine's is compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/handover/cpr_state.hpp"

namespace vcpr::invariants {

struct PlainEntry {
  std::string name;
  std::int32_t id = 0;
  auto operator<=>(const PlainEntry&) const = default;
};
struct PlainDevice {
  std::string name;
  std::int32_t devid = 0;
  std::uint32_t ioas_id = 0;
  std::uint32_t hwpt_id = 0;
  auto operator<=>(const PlainDevice&) const = default;
};

/// A CPR state without its descriptors, as sets: both lists are sorted.
struct PlainState {
  std::vector<PlainEntry> entries;
  std::vector<PlainDevice> devices;
  bool operator==(const PlainState&) const = default;
};

/// The state in a stream of QEMU 10.1 to 11.1; nothing unless every byte is what such a writer sends. Does not look at
/// descriptor numbers, at duplicates or at what the store allows.
std::optional<PlainState> read_plainly(std::span<const std::byte> stream, handover::Encoding encoding);
/// The same of a state in memory.
PlainState plain(const handover::CprState& state);
/// "2 entries: \"ram0\" 0, ...; 0 devices", for people.
std::string text(const PlainState& state);

}  // namespace vcpr::invariants
