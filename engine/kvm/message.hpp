// A message signalled interrupt as the guest programmed it.
#pragma once

#include <cstdint>

namespace vcpr::kvm {

struct MsiMessage {
  std::uint64_t address = 0;
  std::uint32_t data = 0;
  bool operator==(const MsiMessage&) const = default;
};

}  // namespace vcpr::kvm
