// The calls that work on any descriptor, handed to the kind of file behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;

os::Result<int> do_open(Context& context, std::string_view path, int flags);
os::Result<void> do_close(Context& context, int fd);
os::Result<int> do_fcntl(Context& context, int fd, int command, std::int64_t argument);
os::Result<std::size_t> do_read(Context& context, int fd, std::span<std::byte> buffer);
os::Result<std::size_t> do_write(Context& context, int fd, std::span<const std::byte> bytes);
os::Result<std::size_t> do_pread(Context& context, int fd, std::span<std::byte> buffer, std::uint64_t offset);
os::Result<std::size_t> do_pwrite(Context& context, int fd, std::span<const std::byte> bytes, std::uint64_t offset);
os::Result<std::uint64_t> do_lseek(Context& context, int fd, std::int64_t offset, int whence);
os::Result<void> do_ftruncate(Context& context, int fd, std::uint64_t size);
os::Result<os::Stat> do_fstat(Context& context, int fd);
os::Result<std::size_t> do_readlink(Context& context, std::string_view path, std::span<char> buffer);
os::Result<int> do_ioctl(Context& context, int fd, std::uint64_t request, void* argument);

}  // namespace vcpr::machine
