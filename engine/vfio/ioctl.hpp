// One ioctl with its error put into words.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::vfio {

/// The value the kernel returned; os_error or gone, of `what`: {"VFIO_GROUP_GET_STATUS of group ", number}.
Expected<int> call(os::Kernel& kernel, int fd, std::uint64_t request, void* argument,
                   std::initializer_list<std::string_view> what);

/// For requests that take a number in place of an address.
inline void* by_value(std::uint32_t number) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
}

/// Remembers the first of several errors: for steps that go on after one.
inline void note(Expected<void>& first, Expected<void> next) {
  if (first && !next) first = std::move(next);
}

}  // namespace vcpr::vfio
