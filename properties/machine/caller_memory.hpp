// The caller's own memory behind a pointer in an ioctl: a struct, or a buffer that a struct names.
//
// Null and kBadPointer are what the kernel would fault on; any other pointer must be good for as many bytes as asked.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "engine/os/kernel.hpp"
#include "properties/machine/hash.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

/// A pointer into nowhere, for tests of EFAULT.
inline void* const kBadPointer = reinterpret_cast<void*>(std::uintptr_t{0xdead000});

inline bool is_bad(const void* pointer) {
  return pointer == nullptr || pointer == kBadPointer;
}

/// Addresses of the caller's differ between runs that are equal, so they are blank in the trace; what the kernel finds
/// behind them is in it, or EFAULT.
template <class T>
T without_pointers(T value) {
  namespace abi = os::abi;
  if constexpr (std::same_as<T, abi::vfio_bitmap> || std::same_as<T, abi::iommu_hwpt_get_dirty_bitmap>) value.data = {};
  if constexpr (std::same_as<T, abi::vfio_iommu_type1_dirty_bitmap_get>) value.bitmap.data = {};
  if constexpr (std::same_as<T, abi::kvm_device_attr>) value.addr = {};
  if constexpr (requires { value.allowed_iovas; }) value.allowed_iovas = {};
  if constexpr (requires { value.data_uptr; }) value.data_uptr = {};
  if constexpr (requires { value.token_uuid_ptr; }) value.token_uuid_ptr = {};
  return value;
}

/// The first bytes of a value, as they go into the trace.
template <class T>
void trace_value(Context& context, const T& value, std::size_t bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  const T traced = without_pointers(value);
  context.machine.trace.bytes(std::as_bytes(std::span(&traced, 1)).first(bytes));
}

/// A buffer without pointers. EFAULT. What was read goes into the trace: it is part of the call.
inline os::Result<void> copy_in(Context& context, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  if (is_bad(from)) return std::unexpected(os::Errno::efault);
  std::memcpy(to, from, bytes);
  context.machine.trace.bytes({static_cast<const std::byte*>(to), bytes});
  return {};
}

/// The first bytes of a struct, the others zero. EFAULT.
template <class T>
os::Result<T> copy_in(Context& context, const void* from, std::size_t bytes = sizeof(T)) {
  if (is_bad(from)) return std::unexpected(os::Errno::efault);
  T value{};
  std::memcpy(&value, from, bytes);
  trace_value(context, value, bytes);
  return value;
}

/// A buffer without pointers. EFAULT.
inline os::Result<void> copy_out(Context& context, void* to, std::span<const std::byte> from) {
  if (from.empty()) return {};
  if (is_bad(to)) return std::unexpected(os::Errno::efault);
  std::memcpy(to, from.data(), from.size());
  context.machine.trace.bytes(from);
  return {};
}

/// The first bytes of a struct. EFAULT.
template <class T>
  requires(!std::convertible_to<T, std::span<const std::byte>>)
os::Result<void> copy_out(Context& context, void* to, const T& value, std::size_t bytes = sizeof(T)) {
  if (bytes == 0) return {};
  if (is_bad(to)) return std::unexpected(os::Errno::efault);
  std::memcpy(to, &value, bytes);
  trace_value(context, value, bytes);
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
