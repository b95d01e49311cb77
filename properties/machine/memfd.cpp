#include "properties/machine/memfd.hpp"

#include <algorithm>

#include "engine/os/abi.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::size_t kMaxNameBytes = 249;  // NAME_MAX without "memfd:"
constexpr std::uint64_t kMaxFileBytes = 0x7fff'ffff'ffff'ffff;
constexpr std::uint32_t kEverySeal =
    abi::seal_seal | abi::seal_shrink | abi::seal_grow | abi::seal_write | abi::seal_future_write | abi::seal_exec;
constexpr std::uint32_t kMemfdMode = abi::s_ifreg | 0777;
constexpr std::uint32_t kExecuteBits = 0111;

/// The flags with what vm.memfd_noexec adds: EINVAL, EACCES.
os::Result<std::uint32_t> check_flags(const Switches& switches, std::uint32_t flags) {
  constexpr std::uint32_t known = abi::mfd_cloexec | abi::mfd_allow_sealing | abi::mfd_noexec_seal | abi::mfd_exec;
  constexpr std::uint32_t either = abi::mfd_noexec_seal | abi::mfd_exec;
  if ((flags & ~known) != 0 || (flags & either) == either) return std::unexpected(Errno::einval);
  if ((flags & either) == 0) flags |= switches.memfd_noexec >= 1 ? abi::mfd_noexec_seal : abi::mfd_exec;
  if (switches.memfd_noexec >= 2 && (flags & abi::mfd_noexec_seal) == 0) return std::unexpected(Errno::eacces);
  return flags;
}

std::uint32_t first_seals(std::uint32_t flags) {
  if ((flags & abi::mfd_noexec_seal) != 0) return abi::seal_exec;
  return (flags & abi::mfd_allow_sealing) != 0 ? 0 : abi::seal_seal;
}

}  // namespace

os::Result<int> do_memfd_create(Context& context, std::string_view name, std::uint32_t flags) {
  Machine::Impl& machine = context.machine;
  const auto checked = check_flags(machine.switches, flags);
  if (!checked) return std::unexpected(checked.error());
  if (name.size() > kMaxNameBytes) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::memfd_create_enomem)) return std::unexpected(Errno::enomem);
  if (context.fires(FaultPoint::memfd_create_emfile) || !context.has_free_number())
    return std::unexpected(Errno::emfile);
  if (context.fires(FaultPoint::memfd_create_enfile)) return std::unexpected(Errno::enfile);
  Description& made = make_description(machine, FileKind::memfd, abi::o_rdwr | kLargeFile);
  made.name = keep_text(machine.arena, name);
  made.memory = machine.arena.make<Memory>(first_seals(*checked), ++machine.next_inode);
  made.memory->references = 1;
  made.inode = made.memory->inode();
  made.mode = (*checked & abi::mfd_noexec_seal) != 0 ? kMemfdMode & ~kExecuteBits : kMemfdMode;
  return context.install(made, (flags & abi::mfd_cloexec) != 0);
}

os::Result<void> add_seals(Context& context, Description& description, std::uint32_t seals) {
  if (!description.writable()) return std::unexpected(Errno::eperm);
  if ((seals & ~kEverySeal) != 0 || description.memory == nullptr) return std::unexpected(Errno::einval);
  Memory& memory = *description.memory;
  if ((memory.seals() & abi::seal_seal) != 0) return std::unexpected(Errno::eperm);
  if ((seals & abi::seal_exec) != 0 && (description.mode & kExecuteBits) != 0)
    seals |= abi::seal_shrink | abi::seal_grow | abi::seal_write | abi::seal_future_write;
  const bool denies_writing = (seals & abi::seal_write) != 0 && (memory.seals() & abi::seal_write) == 0;
  if (denies_writing &&
      (memory.writable_mappings != 0 || memory.writable_pins != 0 || context.fires(FaultPoint::fcntl_add_seals_ebusy)))
    return std::unexpected(Errno::ebusy);
  memory.add_seals(seals);
  return {};
}

os::Result<int> get_seals(const Description& description) {
  if (description.memory == nullptr) return std::unexpected(Errno::einval);
  return static_cast<int>(description.memory->seals());
}

os::Result<std::size_t> read_memory(Context& context, Description& description, std::uint64_t& offset,
                                    std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  if (context.fires(FaultPoint::read_eio) || context.fires(FaultPoint::pread_eio)) return std::unexpected(Errno::eio);
  const std::size_t count = description.memory->read(offset, buffer);
  offset += count;
  context.output = buffer.first(count);
  return count;
}

namespace {

/// How many bytes seals let through: pieces as large as the largest folio are refused one by one, so a write over a
/// sealed end is cut before the piece that reaches beyond it (generic_perform_write, shmem_write_begin).
std::size_t writable_bytes(const Memory& memory, std::uint32_t piece, std::uint64_t offset, std::size_t bytes) {
  if ((memory.seals() & (abi::seal_write | abi::seal_future_write)) != 0) return 0;
  if ((memory.seals() & abi::seal_grow) == 0 || offset + bytes <= memory.size()) return bytes;
  if (offset >= memory.size()) return 0;
  const std::uint64_t last_whole_piece = memory.size() / piece * piece;
  return last_whole_piece > offset ? static_cast<std::size_t>(last_whole_piece - offset) : 0;
}

}  // namespace

os::Result<std::size_t> write_memory(Context& context, Description& description, std::uint64_t& offset,
                                     std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  Memory& memory = *description.memory;
  if ((description.flags & abi::o_append) != 0) offset = memory.size();
  if (offset >= kMaxFileBytes) return std::unexpected(Errno::efbig);
  bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kMaxFileBytes - offset)));
  const std::size_t allowed = writable_bytes(memory, context.machine.switches.memfd_write_bytes, offset, bytes.size());
  if (allowed == 0) return std::unexpected(Errno::eperm);
  if (context.fires(FaultPoint::write_enospc) || context.fires(FaultPoint::pwrite_enospc))
    return std::unexpected(Errno::enospc);
  bytes = bytes.first(allowed);
  if (context.fires(FaultPoint::write_short) || context.fires(FaultPoint::pwrite_short))
    bytes = bytes.first((bytes.size() + 1) / 2);
  const std::size_t written = memory.write(context.machine.arena, offset, bytes);
  if (written == 0) return std::unexpected(Errno::enospc);
  offset += written;
  return written;
}

os::Result<void> resize_memory(Context& context, Description& description, std::uint64_t size) {
  if (size > kMaxFileBytes || description.memory == nullptr || !description.writable())
    return std::unexpected(Errno::einval);
  Memory& memory = *description.memory;
  const bool refused = (size < memory.size() && (memory.seals() & abi::seal_shrink) != 0) ||
                       (size > memory.size() && (memory.seals() & abi::seal_grow) != 0);
  if (refused) return std::unexpected(Errno::eperm);
  if (context.fires(FaultPoint::ftruncate_enomem)) return std::unexpected(Errno::enomem);
  memory.resize(context.machine.arena, size);
  return {};
}

}  // namespace vcpr::machine
