// Every field of a main stream, found by its own vmdescription: what a debugger, a mutator and a corpus gate need.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/observer.hpp"

namespace vcpr::vmstate {

/// Arrays longer than this are reported as one field.
inline constexpr std::uint64_t kShownElements = 64;
/// Fields reported of one stream; a hostile vmdescription could ask for more than anybody reads.
inline constexpr std::uint64_t kMaxFieldsSeen = 1u << 20;

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< one past the last
  bool operator==(const ByteRange&) const = default;
};

struct Dissection {
  std::vector<ByteRange> unread;  ///< bytes that no reported field covers
  std::optional<Error> error;     ///< why it stopped
};

/// Reports the fields in the order of the stream, as far as it is valid.
Dissection dissect_main_stream(std::span<const std::byte> bytes, Observer& observer);

}  // namespace vcpr::vmstate
