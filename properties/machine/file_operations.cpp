#include "properties/machine/file_operations.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "engine/os/abi.hpp"
#include "properties/machine/device_node.hpp"
#include "properties/machine/eventfd.hpp"
#include "properties/machine/file_object.hpp"
#include "properties/machine/memfd.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::size_t kMaxPathBytes = 4095;
constexpr std::int64_t kMaxOffset = std::numeric_limits<std::int64_t>::max();
constexpr int kSettableFlags = abi::o_append | abi::o_nonblock;
constexpr int kFlagsOfOpen = abi::o_accmode | abi::o_append | abi::o_nonblock;
constexpr std::string_view kDescriptorLinks = "/proc/self/fd/";

/// The descriptor whose link in /proc this path is; nothing when it is another path or no such descriptor is open.
Slot* find_link(Context& context, std::string_view path) {
  if (!path.starts_with(kDescriptorLinks)) return nullptr;
  const std::string_view digits = path.substr(kDescriptorLinks.size());
  int number = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return nullptr;
  return context.process.table.find(number);
}

bool is_node(Context& context, std::string_view path) {
  if (find_device(path) != Device::none) return true;
  for (const BoundName* name = context.machine.names; name != nullptr; name = name->next)
    if (name->path == path && !path.starts_with('\0')) return true;
  return false;
}

os::Result<Description*> open_device(Context& context, std::string_view path, int flags) {
  const Device device = find_device(path);
  if (device == Device::none) return std::unexpected(is_node(context, path) ? Errno::enxio : Errno::enoent);
  const auto object = open_node(context, device, path);
  if (!object) return std::unexpected(object.error());
  Description& made =
      make_description(context.machine, FileKind::character_device, (flags & kFlagsOfOpen) | kLargeFile);
  made.object = *object;
  describe_device(made, device, path);
  made.link = keep_text(context.machine.arena, path);
  return &made;
}

/// A new description of what an open one refers to, as /proc/self/fd/N gives.
os::Result<Description*> reopen(Context& context, const Description& origin, int flags) {
  if (origin.kind == FileKind::character_device && origin.device != Device::none)
    return open_device(context, origin.link, flags);
  if (origin.memory == nullptr) return std::unexpected(Errno::enxio);
  Description& made = make_description(context.machine, origin.kind, (flags & kFlagsOfOpen) | kLargeFile);
  made.memory = origin.memory;
  ++made.memory->references;
  made.inode = origin.inode;
  made.mode = origin.mode;
  made.name = origin.name;
  made.link = origin.link;
  return &made;
}

}  // namespace

os::Result<int> do_open(Context& context, std::string_view path, int flags) {
  if (path.empty()) return std::unexpected(Errno::enoent);
  if (path.size() > kMaxPathBytes) return std::unexpected(Errno::enametoolong);
  if (context.fires(FaultPoint::open_emfile) || !context.has_free_number()) return std::unexpected(Errno::emfile);
  if (context.fires(FaultPoint::open_enfile)) return std::unexpected(Errno::enfile);
  if (context.fires(FaultPoint::open_eacces)) return std::unexpected(Errno::eacces);
  const Slot* link = find_link(context, path);
  const auto opened = link != nullptr ? reopen(context, *link->description, flags) : open_device(context, path, flags);
  if (!opened) return std::unexpected(opened.error());
  if ((flags & abi::o_trunc) != 0 && (*opened)->memory != nullptr && (*opened)->writable())
    if (auto resized = resize_memory(context, **opened, 0); !resized) {
      acquire(**opened);
      release(context.machine, **opened);
      return std::unexpected(resized.error());
    }
  return context.install(**opened, (flags & abi::o_cloexec) != 0);
}

os::Result<void> do_close(Context& context, int fd) {
  if (context.find(fd) == nullptr) return std::unexpected(Errno::ebadf);
  close_descriptor(context.process, static_cast<std::uint32_t>(fd));
  return {};
}

namespace {

os::Result<int> duplicate(Context& context, Description& description, std::int64_t from, bool close_on_exec) {
  // the kernel looks at an unsigned int
  if (static_cast<std::uint32_t>(from) >= context.process.descriptor_limit) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::fcntl_emfile)) return std::unexpected(Errno::emfile);
  return context.install(description, close_on_exec, static_cast<std::uint32_t>(from));
}

}  // namespace

os::Result<int> do_fcntl(Context& context, int fd, int command, std::int64_t argument) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  switch (command) {
    case abi::f_dupfd:
      return duplicate(context, description, argument, false);
    case abi::f_dupfd_cloexec:
      return duplicate(context, description, argument, true);
    case abi::f_getfd:
      return slot->close_on_exec ? abi::fd_cloexec : 0;
    case abi::f_setfd:
      slot->close_on_exec = (argument & abi::fd_cloexec) != 0;
      return 0;
    case abi::f_getfl:
      return description.flags;
    case abi::f_setfl:
      description.flags = (description.flags & ~kSettableFlags) | (static_cast<int>(argument) & kSettableFlags);
      return 0;
    case abi::f_add_seals: {
      const auto added = add_seals(context, description, static_cast<std::uint32_t>(argument));
      if (!added) return std::unexpected(added.error());
      return 0;
    }
    case abi::f_get_seals:
      return get_seals(description);
    default:
      return std::unexpected(Errno::einval);
  }
}

namespace {

/// read and write on a socket are recvmsg and sendmsg without a control buffer.
os::Result<std::size_t> read_socket(Context& context, int fd, std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  const auto received = do_recvmsg(context, fd, buffer, {}, 0);
  if (!received) return std::unexpected(received.error());
  return received->bytes;
}

os::Result<std::size_t> read_device(Context& context, const Description& description, std::span<std::byte> buffer) {
  if (description.device == Device::null) return 0;
  if (description.device != Device::zero) return std::unexpected(Errno::einval);
  std::ranges::fill(buffer, std::byte{0});
  context.output = buffer;
  return buffer.size();
}

os::Result<std::size_t> write_device(const Description& description, std::span<const std::byte> bytes) {
  if (description.device != Device::null && description.device != Device::zero) return std::unexpected(Errno::einval);
  return bytes.size();
}

bool is_seekable(const Description& description) {
  return description.kind != FileKind::socket && description.kind != FileKind::pipe;
}

/// FMODE_PREAD and FMODE_PWRITE: an eventfd lacks them although lseek answers 0.
bool has_positions(const Description& description) {
  return is_seekable(description) && description.kind != FileKind::eventfd;
}

}  // namespace

os::Result<std::size_t> do_read(Context& context, int fd, std::span<std::byte> buffer) {
  Slot* slot = context.find(fd);
  if (slot == nullptr || !slot->description->readable()) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  if (description.memory != nullptr) return read_memory(context, description, description.offset, buffer);
  if (description.socket != nullptr) return read_socket(context, fd, buffer);
  if (description.kind == FileKind::eventfd) return read_eventfd(context, fd, description, buffer);
  if (description.object != nullptr) {
    const auto count = description.object->read(context, description, buffer, description.offset);
    description.offset += count.value_or(0);
    return count;
  }
  return read_device(context, description, buffer);
}

os::Result<std::size_t> do_write(Context& context, int fd, std::span<const std::byte> bytes) {
  Slot* slot = context.find(fd);
  if (slot == nullptr || !slot->description->writable()) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  if (description.memory != nullptr) return write_memory(context, description, description.offset, bytes);
  if (description.socket != nullptr) return do_sendmsg(context, fd, bytes, {}, 0);
  if (description.kind == FileKind::eventfd) return write_eventfd(context, fd, description, bytes);
  if (description.object != nullptr) {
    const auto count = description.object->write(context, description, bytes, description.offset);
    description.offset += count.value_or(0);
    return count;
  }
  return write_device(description, bytes);
}

os::Result<std::size_t> do_pread(Context& context, int fd, std::span<std::byte> buffer, std::uint64_t offset) {
  if (offset > static_cast<std::uint64_t>(kMaxOffset)) return std::unexpected(Errno::einval);
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  if (!has_positions(description)) return std::unexpected(Errno::espipe);
  if (!description.readable()) return std::unexpected(Errno::ebadf);
  if (description.memory != nullptr) return read_memory(context, description, offset, buffer);
  if (description.object != nullptr) return description.object->read(context, description, buffer, offset);
  return read_device(context, description, buffer);
}

os::Result<std::size_t> do_pwrite(Context& context, int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  if (offset > static_cast<std::uint64_t>(kMaxOffset)) return std::unexpected(Errno::einval);
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  if (!has_positions(description)) return std::unexpected(Errno::espipe);
  if (!description.writable()) return std::unexpected(Errno::ebadf);
  if (description.memory != nullptr) return write_memory(context, description, offset, bytes);
  if (description.object != nullptr) return description.object->write(context, description, bytes, offset);
  return write_device(description, bytes);
}

os::Result<std::uint64_t> do_lseek(Context& context, int fd, std::int64_t offset, int whence) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  if (whence < abi::seek_set || whence > abi::seek_end) return std::unexpected(Errno::einval);
  Description& description = *slot->description;
  if (!is_seekable(description)) return std::unexpected(Errno::espipe);
  if (description.memory == nullptr) return 0;  // noop_llseek, null_lseek
  std::uint64_t base = 0;
  if (whence == abi::seek_cur) base = description.offset;
  if (whence == abi::seek_end) base = description.memory->size();
  const bool beyond = offset > 0 && base > static_cast<std::uint64_t>(kMaxOffset - offset);
  const std::uint64_t target = base + static_cast<std::uint64_t>(offset);
  if (beyond || target > static_cast<std::uint64_t>(kMaxOffset)) return std::unexpected(Errno::einval);
  return description.offset = target;
}

os::Result<void> do_ftruncate(Context& context, int fd, std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(kMaxOffset)) return std::unexpected(Errno::einval);
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  return resize_memory(context, *slot->description, size);
}

os::Result<os::Stat> do_fstat(Context& context, int fd) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  const Description& description = *slot->description;
  return os::Stat{.device = 1 + static_cast<std::uint64_t>(description.kind),
                  .inode = description.inode,
                  .mode = description.mode,
                  .special_device = description.special_device,
                  .size = description.memory != nullptr ? description.memory->size() : 0};
}

os::Result<std::size_t> do_readlink(Context& context, std::string_view path, std::span<char> buffer) {
  if (buffer.empty()) return std::unexpected(Errno::einval);
  if (path.size() > kMaxPathBytes) return std::unexpected(Errno::enametoolong);
  const Slot* slot = find_link(context, path);
  if (slot == nullptr) return std::unexpected(is_node(context, path) ? Errno::einval : Errno::enoent);
  char text[kLinkBytes];
  const std::string_view link = link_text(*slot->description, text);
  const std::size_t count = std::min(link.size(), buffer.size());
  std::memcpy(buffer.data(), link.data(), count);
  context.output = std::as_bytes(buffer.first(count));
  return count;
}

os::Result<int> do_ioctl(Context& context, int fd, std::uint64_t request, void* argument) {
  const Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& description = *slot->description;
  if (description.object == nullptr) return std::unexpected(Errno::enotty);
  return description.object->ioctl(context, description, request, argument);
}

}  // namespace vcpr::machine
