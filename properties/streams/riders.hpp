// Which entries of a CPR state ask for a descriptor: what a source has to supply so that a stream gets deep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/handover/cpr_state.hpp"
#include "engine/wire/reader.hpp"

namespace vcpr::streams {

/// An entry that can be read up to its descriptor. Views into the stream.
struct Rider {
  std::string_view name;  ///< without the final NUL, if it has one
  std::int32_t id = 0;
  std::uint64_t offset = 0;  ///< of the service byte, or of the number
  std::int32_t number = -1;  ///< exec: as the stream says
};

/// Reads lengths and nothing else, so that it costs a fuzz target next to nothing; observe_cpr_state tells the whole
/// truth, and a test compares the two.
class Riders {
 public:
  Riders(std::span<const std::byte> stream, handover::Encoding encoding)
      : reader_(stream), encoding_(encoding), good_(reader_.take(handover::kCprHeaderBytes) != nullptr) {}

  /// The next entry, as long as they can be read.
  std::optional<Rider> next();

 private:
  wire::Reader reader_;
  handover::Encoding encoding_;
  bool good_;
};

}  // namespace vcpr::streams
