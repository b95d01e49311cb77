// The caller's own memory behind a pointer in an ioctl: a struct, or a buffer that a struct names.
//
// Null and kBadPointer are what the kernel would fault on; any other pointer must be good for as many bytes as asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "engine/os/kernel.hpp"
#include "properties/machine/hash.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

/// A pointer into nowhere, for tests of EFAULT.
inline void* const kBadPointer = reinterpret_cast<void*>(std::uintptr_t{0xdead000});

inline bool is_bad(const void* pointer) {
  return pointer == nullptr || pointer == kBadPointer;
}

/// EFAULT. What was read goes into the trace: it is part of the call.
inline os::Result<void> copy_in(Context& context, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  if (is_bad(from)) return std::unexpected(os::Errno::efault);
  std::memcpy(to, from, bytes);
  context.machine.trace.bytes({static_cast<const std::byte*>(to), bytes});
  return {};
}

template <class T>
os::Result<T> copy_in(Context& context, const void* from, std::size_t bytes = sizeof(T)) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  if (auto done = copy_in(context, &value, from, bytes); !done) return std::unexpected(done.error());
  return value;
}

/// For a struct with a pointer of the caller, which differs between runs: the handler traces the rest itself. EFAULT.
template <class T>
os::Result<T> copy_in_untraced(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (is_bad(from)) return std::unexpected(os::Errno::efault);
  T value{};
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// EFAULT.
inline os::Result<void> copy_out(Context& context, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  if (is_bad(to)) return std::unexpected(os::Errno::efault);
  std::memcpy(to, from, bytes);
  context.machine.trace.bytes({static_cast<const std::byte*>(from), bytes});
  return {};
}

/// A string with its end within the buffer's size (strndup_user): EFAULT, or EINVAL when it is longer.
inline os::Result<std::string_view> copy_in_text(Context& context, const void* from, std::span<char> buffer) {
  if (is_bad(from)) return std::unexpected(os::Errno::efault);
  const std::size_t length = ::strnlen(static_cast<const char*>(from), buffer.size());
  if (length == buffer.size()) return std::unexpected(os::Errno::einval);
  if (auto done = copy_in(context, buffer.data(), from, length); !done) return std::unexpected(done.error());
  return std::string_view(buffer.data(), length);
}

/// A pointer that a struct holds as a number (__aligned_u64).
inline void* caller_pointer(std::uint64_t value) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(value));
}

}  // namespace vcpr::machine
