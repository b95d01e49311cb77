#include "engine/os/scm_rights.hpp"

#include <algorithm>

#include "engine/os/abi.hpp"

namespace vcpr::os {

namespace {

/// struct cmsghdr of 64-bit Linux.
struct Header {
  std::uint64_t length = 0;  ///< of the header and its data, without padding
  std::int32_t level = 0;
  std::int32_t type = 0;
};
static_assert(sizeof(Header) == kControlHeaderBytes);

}  // namespace

std::span<const std::byte> write_scm_rights(std::span<std::byte> buffer, std::span<const std::int32_t> fds) {
  std::span<std::byte> message = buffer.first(scm_rights_space(fds.size()));
  std::ranges::fill(message, std::byte{0});
  Header header{kControlHeaderBytes + fds.size_bytes(), abi::sol_socket, abi::scm_rights};
  std::memcpy(message.data(), &header, sizeof header);
  std::ranges::copy(std::as_bytes(fds), message.begin() + sizeof header);
  return message;
}

std::optional<ControlHeader> next_control_header(std::span<const std::byte> control) {
  Header header;
  if (control.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, control.data(), sizeof header);
  if (header.length < sizeof header || header.length > control.size()) return std::nullopt;
  std::size_t length = header.length;
  std::size_t padded = (length + kControlAlignment - 1) / kControlAlignment * kControlAlignment;
  return ControlHeader{header.level, header.type, control.subspan(sizeof header, length - sizeof header),
                       control.subspan(std::min(padded, control.size()))};
}

bool is_scm_rights(const ControlHeader& header) {
  return header.level == abi::sol_socket && header.type == abi::scm_rights;
}

}  // namespace vcpr::os
