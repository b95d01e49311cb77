#include "properties/machine/address_space.hpp"

#include <algorithm>
#include <cstring>

#include "engine/os/abi.hpp"
#include "properties/machine/file_object.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
using os::UserAddr;
namespace abi = os::abi;

namespace {

constexpr std::uint64_t kLowestAddress = 0x10000;        // vm.mmap_min_addr
constexpr std::uint64_t kAddressEnd = 0x7fff'ffff'f000;  // TASK_SIZE of x86_64

std::uint64_t page_up(std::uint64_t bytes) {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}
bool on_page(std::uint64_t value) {
  return value % kPageBytes == 0;
}

}  // namespace

const Mapping* AddressSpace::find(std::uint64_t address) const {
  const std::uint32_t position = mappings_.first_from(address);
  return position < mappings_.size() && mappings_[position].start <= address ? &mappings_[position] : nullptr;
}

bool AddressSpace::is_free(std::uint64_t start, std::uint64_t length) const {
  const std::uint32_t position = mappings_.first_from(start);
  return position == mappings_.size() || mappings_[position].start >= start + length;
}

std::uint64_t AddressSpace::find_gap(std::uint64_t length) const {
  std::uint64_t gap = full_to_;
  for (std::uint32_t position = mappings_.first_from(gap); position < mappings_.size(); ++position) {
    const Mapping& mapping = mappings_[position];
    if (mapping.start >= gap && mapping.start - gap >= length) break;
    gap = mapping.end();
  }
  return gap <= kAddressEnd && kAddressEnd - gap >= length ? gap : 0;
}

void AddressSpace::insert(Arena& arena, const Mapping& mapping) {
  Mapping* made = arena.make<Mapping>(mapping);
  mappings_.insert(arena, *made);
  if (made->memory != nullptr && made->shared && made->may_write) ++made->memory->writable_mappings;
  for (std::uint32_t position = mappings_.first_from(full_to_);
       position < mappings_.size() && mappings_[position].start <= full_to_; ++position)
    full_to_ = mappings_[position].end();
}

void AddressSpace::split_at(Arena& arena, std::uint64_t address) {
  const std::uint32_t position = mappings_.first_from(address);
  if (position == mappings_.size() || address <= mappings_[position].start) return;
  Mapping& lower = mappings_[position];
  Mapping upper = lower;
  upper.start = address;
  upper.length = lower.end() - address;
  upper.offset += address - lower.start;
  lower.length = address - lower.start;
  if (upper.own != nullptr) ++upper.own->references;
  if (upper.memory != nullptr) ++upper.memory->references;
  if (upper.file != nullptr) acquire(*upper.file);
  insert(arena, upper);
}

void AddressSpace::forget(Machine::Impl& machine, Mapping* mapping) {
  Arena& arena = machine.arena;
  if (mapping->own != nullptr) release(arena, *mapping->own);
  Description* file = mapping->file;
  if (mapping->memory != nullptr) {
    if (mapping->shared && mapping->may_write) --mapping->memory->writable_mappings;
    release(arena, *mapping->memory);
  }
  arena.destroy(mapping);
  if (file != nullptr) release(machine, *file);
}

void AddressSpace::remove(Machine::Impl& machine, std::uint64_t start, std::uint64_t length) {
  split_at(machine.arena, start);
  split_at(machine.arena, start + length);
  const std::uint32_t position = mappings_.first_from(start);
  while (position < mappings_.size() && mappings_[position].start < start + length) {
    Mapping* mapping = &mappings_[position];
    mappings_.remove(position);
    full_to_ = std::clamp(mapping->start, kMmapBase, full_to_);
    forget(machine, mapping);
  }
}

void AddressSpace::copy_from(Arena& arena, const AddressSpace& other) {
  for (const Mapping* mapping : other.mappings_) {
    Mapping copy = *mapping;
    if (copy.own != nullptr) {  // pinned pages stay the parent's
      copy.own = arena.make<Memory>(0u, 0u);
      copy.own->references = 1;
      copy.own->copy_pages_from(arena, *mapping->own);
    }
    if (copy.file != nullptr) acquire(*copy.file);
    if (copy.memory != nullptr) ++copy.memory->references;
    insert(arena, copy);
  }
}

void AddressSpace::clear(Machine::Impl& machine) {
  Mappings gone = std::exchange(mappings_, {});
  full_to_ = kMmapBase;
  for (Mapping* mapping : gone) forget(machine, mapping);
  gone.clear(machine.arena);
  locked_pages = pinned_pages = 0;
}

bool AddressSpace::accessible(std::uint64_t address, std::size_t bytes, int protection) const {
  const std::uint64_t end = address + bytes;
  while (address < end) {
    const Mapping* mapping = find(address);
    if (mapping == nullptr || (mapping->protection & protection) == 0) return false;
    const std::uint64_t stop = std::min(end, mapping->end());
    if (mapping->memory != nullptr && mapping->offset + (stop - 1 - mapping->start) >= page_up(mapping->memory->size()))
      return false;  // SIGBUS
    address = stop;
  }
  return true;
}

bool AddressSpace::load(std::uint64_t address, std::span<std::byte> bytes) const {
  if (!accessible(address, bytes.size(), abi::prot_read)) return false;
  for (std::size_t done = 0; done < bytes.size();) {
    const Mapping& mapping = *find(address + done);
    const std::uint64_t inside = (address + done) % kPageBytes;
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - done, kPageBytes - inside));
    const std::byte* page =
        mapping.own == nullptr ? nullptr : mapping.own->find_page((address + done - mapping.own_base) / kPageBytes);
    if (page == nullptr && mapping.memory != nullptr)
      page = mapping.memory->find_page((mapping.offset + (address + done - mapping.start)) / kPageBytes);
    if (page != nullptr)
      std::memcpy(bytes.data() + done, page + inside, piece);
    else
      std::memset(bytes.data() + done, 0, piece);
    done += piece;
  }
  return true;
}

namespace {

/// The page a store goes to: the file's own when shared, a private copy otherwise. No memory when there is no room.
PagePlace page_to_write(Arena& arena, Mapping& mapping, std::uint64_t address) {
  const std::uint64_t in_file = (mapping.offset + (address - mapping.start)) / kPageBytes;
  if (mapping.shared) return {mapping.memory, in_file};
  if (mapping.own == nullptr) {
    mapping.own = arena.make<Memory>(0u, 0u);
    mapping.own->references = 1;
  }
  const std::uint64_t index = (address - mapping.own_base) / kPageBytes;
  const std::byte* origin = mapping.memory != nullptr ? mapping.memory->find_page(in_file) : nullptr;
  if (mapping.own->find_page(index) == nullptr && (origin != nullptr || mapping.memory != nullptr)) {
    std::byte* page = mapping.own->find_or_make_page(arena, index);  // from now on the file's changes are not seen
    if (page == nullptr) return {};
    if (origin != nullptr) std::memcpy(page, origin, kPageBytes);
  }
  return {mapping.own, index};
}

}  // namespace

PagePlace AddressSpace::place_to_write(Machine::Impl& machine, std::uint64_t address) {
  if (!accessible(address, 1, abi::prot_write) || !machine.arena.has_room_for(4 * kPageBytes)) return {};
  return page_to_write(machine.arena, *const_cast<Mapping*>(find(address)), address);
}

PagePlace AddressSpace::place_to_pin(Machine::Impl& machine, std::uint64_t address) {
  if (!accessible(address, 1, abi::prot_read) || !machine.arena.has_room_for(4 * kPageBytes)) return {};
  return page_to_write(machine.arena, *const_cast<Mapping*>(find(address)), address);
}

bool AddressSpace::store(Machine::Impl& machine, std::uint64_t address, std::span<const std::byte> bytes) {
  Arena& arena = machine.arena;
  if (!accessible(address, bytes.size(), abi::prot_write) || !arena.has_room_for(2 * bytes.size() + 2 * kPageBytes))
    return false;
  for (std::size_t done = 0; done < bytes.size();) {
    const std::uint64_t inside = (address + done) % kPageBytes;
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - done, kPageBytes - inside));
    const PagePlace place = page_to_write(arena, *const_cast<Mapping*>(find(address + done)), address + done);
    std::byte* page = place.memory == nullptr ? nullptr : place.memory->find_or_make_page(arena, place.index);
    if (page == nullptr) return false;
    std::memcpy(page + inside, bytes.data() + done, piece);
    done += piece;
  }
  return true;
}

namespace {

/// Where the mapping goes, by the rules of MAP_FIXED, MAP_FIXED_NOREPLACE and hints.
os::Result<std::uint64_t> choose_address(const AddressSpace& space, std::uint64_t hint, std::uint64_t length,
                                         int flags) {
  const bool fixed = (flags & (abi::map_fixed | abi::map_fixed_noreplace)) != 0;
  if (length > kAddressEnd) return std::unexpected(Errno::enomem);
  if (fixed) {
    if (!on_page(hint)) return std::unexpected(Errno::einval);
    if (hint > kAddressEnd - length) return std::unexpected(Errno::enomem);
    if (hint < kLowestAddress) return std::unexpected(Errno::eperm);
    if ((flags & abi::map_fixed_noreplace) != 0 && !space.is_free(hint, length)) return std::unexpected(Errno::eexist);
    return hint;
  }
  hint = page_up(hint);
  if (hint >= kLowestAddress && hint <= kAddressEnd - length && space.is_free(hint, length)) return hint;
  const std::uint64_t gap = space.find_gap(length);
  if (gap == 0) return std::unexpected(Errno::enomem);
  return gap;
}

/// The rules for a mapping of a file: access mode against protection, then seals.
os::Result<void> check_file(const Description& file, Mapping& mapping) {
  const bool wants_write = (mapping.protection & abi::prot_write) != 0;
  if (!file.readable()) return std::unexpected(Errno::eacces);
  if (mapping.shared && wants_write && !file.writable()) return std::unexpected(Errno::eacces);
  if (file.socket != nullptr) return {};  // has an mmap operation, which refuses once the range is cleared
  if (file.object != nullptr) return {};  // its own mmap operation decides
  if (file.memory == nullptr) return std::unexpected(Errno::enodev);
  mapping.may_write = !mapping.shared || file.writable();
  const bool write_sealed = (file.memory->seals() & (abi::seal_write | abi::seal_future_write)) != 0;
  if (!mapping.shared || !write_sealed) return {};
  if (wants_write) return std::unexpected(Errno::eperm);
  mapping.may_write = false;
  return {};
}

}  // namespace

os::Result<UserAddr> do_mmap(Context& context, UserAddr address, std::uint64_t length, int protection, int flags,
                             int fd, std::uint64_t offset) {
  if (!on_page(offset)) return std::unexpected(Errno::einval);
  const bool anonymous = (flags & abi::map_anonymous) != 0;
  Slot* slot = anonymous ? nullptr : context.find(fd);
  if (!anonymous && slot == nullptr) return std::unexpected(Errno::ebadf);
  if (length == 0) return std::unexpected(Errno::einval);
  if (length > kAddressEnd) return std::unexpected(Errno::enomem);
  length = page_up(length);
  if (offset + length < offset) return std::unexpected(Errno::eoverflow);
  AddressSpace& space = context.process.space;
  const auto start = choose_address(space, address.value(), length, flags);
  if (!start) return std::unexpected(start.error());
  const int kind = flags & (abi::map_shared | abi::map_private);
  if (kind == 0) return std::unexpected(Errno::einval);
  Mapping mapping;
  mapping.start = mapping.own_base = *start;
  mapping.length = length;
  mapping.protection = protection;
  mapping.shared = kind != abi::map_private;
  mapping.may_write = true;
  mapping.offset = anonymous ? 0 : offset;
  if (slot != nullptr)
    if (auto allowed = check_file(*slot->description, mapping); !allowed) return std::unexpected(allowed.error());
  Arena& arena = context.machine.arena;
  if (context.fires(FaultPoint::mmap_enomem) || !arena.has_room_for(sizeof(Mapping)))
    return std::unexpected(Errno::enomem);
  space.remove(context.machine, *start, length);
  if (slot != nullptr && slot->description->socket != nullptr) return std::unexpected(Errno::enodev);
  if (slot != nullptr) mapping.memory = slot->description->memory;
  if (slot != nullptr && slot->description->object != nullptr) {
    Description& file = *slot->description;
    if (auto mapped = file.object->mmap(context, file, mapping); !mapped) return std::unexpected(mapped.error());
    mapping.file = &file;
    acquire(file);
  }
  if (anonymous && mapping.shared) {
    mapping.memory = arena.make<Memory>(0u, ++context.machine.next_inode);
    mapping.memory->resize(arena, length);
  }
  if (mapping.memory != nullptr) ++mapping.memory->references;
  space.insert(arena, mapping);
  return UserAddr(*start);
}

os::Result<void> do_munmap(Context& context, UserAddr address, std::uint64_t length) {
  const std::uint64_t start = address.value();
  if (!on_page(start) || start > kAddressEnd || length > kAddressEnd - start) return std::unexpected(Errno::einval);
  if (length == 0) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::munmap_enomem)) return std::unexpected(Errno::enomem);
  context.process.space.remove(context.machine, start, page_up(length));
  return {};
}

os::Result<void> do_mprotect(Context& context, UserAddr address, std::uint64_t length, int protection) {
  const std::uint64_t start = address.value();
  if (!on_page(start)) return std::unexpected(Errno::einval);
  if (length == 0) return {};
  length = page_up(length);
  const std::uint64_t end = start + length;
  if (end <= start) return std::unexpected(Errno::enomem);
  AddressSpace& space = context.process.space;
  space.split_at(context.machine.arena, start);
  space.split_at(context.machine.arena, end);
  std::uint64_t reached = start;
  const AddressSpace::Mappings& mappings = space.mappings();
  for (std::uint32_t position = mappings.first_from(start);
       position < mappings.size() && mappings[position].start < end; ++position) {
    Mapping& mapping = mappings[position];
    if (mapping.start != reached) return std::unexpected(Errno::enomem);
    if ((protection & abi::prot_write) != 0 && mapping.shared && !mapping.may_write)
      return std::unexpected(Errno::eacces);
    if (mapping.end() == end && context.fires(FaultPoint::mprotect_enomem)) return std::unexpected(Errno::enomem);
    mapping.protection = protection;
    reached = mapping.end();
  }
  if (reached != end) return std::unexpected(Errno::enomem);
  return {};
}

}  // namespace vcpr::machine
