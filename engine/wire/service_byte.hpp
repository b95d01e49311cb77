// The byte of a transfer stream on which a descriptor rides.
#pragma once

#include <cstddef>

namespace vcpr::wire {

/// QEMU sends a space and refuses anything else (migration/qemu-file.c, qemu_file_put_fd and qemu_file_get_fd).
inline constexpr std::byte kServiceByte{0x20};

}  // namespace vcpr::wire
