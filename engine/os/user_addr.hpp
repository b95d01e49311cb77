// Guest-visible addresses are numbers the kernel understands; the engine never dereferences one.
#pragma once

#include <compare>
#include <cstdint>

namespace vcpr::os {

/// An address in the calling process as the kernel sees it: what mmap returned, a vaddr of a DMA mapping, a memory
/// slot. Opaque on purpose: in the simulated machine nothing is mapped there.
class UserAddr {
 public:
  constexpr UserAddr() = default;
  constexpr explicit UserAddr(std::uint64_t value) : value_(value) {}
  constexpr std::uint64_t value() const { return value_; }
  constexpr UserAddr operator+(std::uint64_t bytes) const { return UserAddr(value_ + bytes); }
  constexpr auto operator<=>(const UserAddr&) const = default;

 private:
  std::uint64_t value_ = 0;
};

}  // namespace vcpr::os
