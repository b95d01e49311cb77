// What is to be sent: bytes, and at which of them a descriptor rides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vcpr::wire {

/// A borrowed descriptor and its service byte. The owner keeps it open until the stream is sent.
struct RidingFd {
  std::uint64_t offset = 0;  ///< of the service byte in the stream
  int number = -1;
};

struct Outbox {
  std::vector<std::byte> bytes;
  std::vector<RidingFd> descriptors;  ///< by ascending offset
};

}  // namespace vcpr::wire
