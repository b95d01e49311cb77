// The control buffer of sendmsg and recvmsg that carries descriptors (cmsg(3), SCM_RIGHTS).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace vcpr::os {

/// Linux refuses more in one message (include/net/scm.h SCM_MAX_FD).
inline constexpr std::size_t kScmMaxFd = 253;
/// CMSG_LEN(0) and the alignment of CMSG_SPACE on 64-bit Linux.
inline constexpr std::size_t kControlHeaderBytes = 16;
inline constexpr std::size_t kControlAlignment = 8;

/// CMSG_SPACE for `count` descriptors.
constexpr std::size_t scm_rights_space(std::size_t count) {
  return kControlHeaderBytes +
         (count * sizeof(std::int32_t) + kControlAlignment - 1) / kControlAlignment * kControlAlignment;
}

/// Writes one SCM_RIGHTS header with these descriptors at the front of `buffer`, which must hold
/// scm_rights_space(fds.size()); returns the part to send.
std::span<const std::byte> write_scm_rights(std::span<std::byte> buffer, std::span<const std::int32_t> fds);

/// One header of a control buffer, as far as its own length and the buffer's end agree.
struct ControlHeader {
  std::int32_t level = 0;
  std::int32_t type = 0;
  std::span<const std::byte> data;
  std::span<const std::byte> rest;  ///< the headers after this one
};

/// The first header of a control buffer; nothing at its end, or when the header claims to be shorter than itself or
/// longer than the buffer.
std::optional<ControlHeader> next_control_header(std::span<const std::byte> control);
/// SOL_SOCKET, SCM_RIGHTS.
bool is_scm_rights(const ControlHeader& header);

/// Calls `visit(fd)` for every descriptor of every SCM_RIGHTS header in a received control buffer, in order.
/// A header that lies about its length ends the walk.
template <class Visit>
void for_each_scm_rights(std::span<const std::byte> control, Visit visit) {
  while (auto header = next_control_header(control)) {
    control = header->rest;
    if (!is_scm_rights(*header)) continue;
    for (auto left = header->data; left.size() >= sizeof(std::int32_t); left = left.subspan(sizeof(std::int32_t))) {
      std::int32_t fd = -1;
      std::memcpy(&fd, left.data(), sizeof fd);
      visit(fd);
    }
  }
}

}  // namespace vcpr::os
