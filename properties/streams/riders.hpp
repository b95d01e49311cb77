// Which entries of a CPR state ask for a descriptor: what a source has to supply so that a stream gets deep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/handover/cpr_state.hpp"

namespace vcpr::streams {

/// An entry that can be read up to its descriptor. Views into the stream.
struct Rider {
  std::string_view name;     ///< without the final NUL, if it has one
  std::uint64_t offset = 0;  ///< of the service byte, or of the number
  std::int32_t number = -1;  ///< exec: as the stream says
};

/// Fills `riders` with the entries in order; returns how many fitted. Reads lengths and nothing else, so that it costs
/// a fuzz target next to nothing; observe_cpr_state tells the whole truth, and a test compares the two.
std::size_t find_riders(std::span<const std::byte> stream, handover::Encoding encoding, std::span<Rider> riders);

}  // namespace vcpr::streams
