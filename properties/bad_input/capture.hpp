// The recorded streams that are to be damaged.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "properties/invariants/plain_state.hpp"
#include "properties/streams/field_map.hpp"

namespace vcpr::bad_input {

/// Where a descriptor belongs in a stream, and what it must be for.
struct Seat {
  std::uint64_t offset = 0;  ///< of the service byte, or of the number
  std::string name;
  std::int32_t number = -1;  ///< exec
};

struct Capture {
  std::string name;
  streams::StreamKind kind{};
  streams::Stream bytes;
  handover::Encoding encoding() const {
    return kind == streams::StreamKind::exec ? handover::Encoding::exec : handover::Encoding::transfer;
  }
};

/// Of this kind, in order of their names, from DIRECTORY and its vfio/.
std::vector<Capture> captures(const std::string& directory, streams::StreamKind kind);
/// The seats of a CPR state, as far as it can be read.
std::vector<Seat> seats(const streams::Stream& stream, handover::Encoding encoding);

}  // namespace vcpr::bad_input
