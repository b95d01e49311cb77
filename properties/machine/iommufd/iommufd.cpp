#include "properties/machine/iommufd/iommufd.hpp"

#include <algorithm>
#include <array>

#include "properties/machine/iommufd/compat.hpp"
#include "properties/machine/iommufd/device.hpp"
#include "properties/machine/iommufd/fault_queue.hpp"
#include "properties/machine/iommufd/handlers.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;
namespace request = os::abi::request;

namespace {

constexpr std::uint64_t kFirstNumber = 0x80;
constexpr std::uint64_t kLastNumber = 0x94;
/// No caller sends more; what is beyond is not looked at.
constexpr std::size_t kLongestArgument = 4096;

struct Entry {
  std::uint64_t request;
  std::uint32_t least;  ///< bytes
  os::Result<void> (*run)(Command& command);
};

constexpr std::array kEntries = {
    Entry{request::iommu_destroy, 8, run<abi::iommu_destroy, destroy>},
    Entry{request::iommu_ioas_alloc, 12, run<abi::iommu_ioas_alloc, ioas_alloc>},
    Entry{request::iommu_ioas_allow_iovas, 24, run<abi::iommu_ioas_allow_iovas, ioas_allow_iovas>},
    Entry{request::iommu_ioas_copy, 40, run<abi::iommu_ioas_copy, ioas_copy>},
    Entry{request::iommu_ioas_iova_ranges, 32, run<abi::iommu_ioas_iova_ranges, ioas_iova_ranges>},
    Entry{request::iommu_ioas_map, 40, run<abi::iommu_ioas_map, ioas_map>},
    Entry{request::iommu_ioas_unmap, 24, run<abi::iommu_ioas_unmap, ioas_unmap>},
    Entry{request::iommu_option, 24, run<abi::iommu_option, option>},
    Entry{request::iommu_vfio_ioas, 12, run<abi::iommu_vfio_ioas, vfio_ioas>},
    Entry{request::iommu_ioas_map_file, 40, run<abi::iommu_ioas_map_file, ioas_map_file>},
    Entry{request::iommu_ioas_change_process, 8, run<abi::iommu_ioas_change_process, ioas_change_process>},
    Entry{request::iommu_hwpt_alloc, 24, run<abi::iommu_hwpt_alloc, hwpt_alloc>},
    Entry{request::iommu_get_hw_info, 32, run<abi::iommu_hw_info, get_hw_info>},
    Entry{request::iommu_hwpt_set_dirty_tracking, 16, run<abi::iommu_hwpt_set_dirty_tracking, hwpt_set_dirty_tracking>},
    Entry{request::iommu_hwpt_get_dirty_bitmap, 48, run<abi::iommu_hwpt_get_dirty_bitmap, hwpt_get_dirty_bitmap>},
    Entry{request::iommu_hwpt_invalidate, 32, run<abi::iommu_hwpt_invalidate, hwpt_invalidate>},
    Entry{request::iommu_fault_queue_alloc, 16, run<abi::iommu_fault_alloc, fault_queue_alloc>},
    Entry{request::iommu_viommu_alloc, 24, run<abi::iommu_viommu_alloc, viommu_alloc>},
    Entry{request::iommu_vdevice_alloc, 24, run<abi::iommu_vdevice_alloc, vdevice_alloc>},
    Entry{request::iommu_veventq_alloc, 28, run<abi::iommu_veventq_alloc, veventq_alloc>},
    Entry{request::iommu_hw_queue_alloc, 40, run<abi::iommu_hw_queue_alloc, hw_queue_alloc>},
};

/// The table of a kernel without these two ends before their numbers.
bool is_in_table(const Switches& switches, std::uint64_t number) {
  if (number == (request::iommu_ioas_change_process & 0xff)) return switches.change_process;
  if (number == (request::iommu_ioas_map_file & 0xff)) return switches.map_file;
  return number >= kFirstNumber && number <= kLastNumber;
}

os::Result<int> run_command(Command& command, const Entry& entry) {
  if (command.size < entry.least) return std::unexpected(Errno::einval);
  if (auto done = entry.run(command); !done) return std::unexpected(done.error());
  return 0;
}

}  // namespace

os::Result<void> check_zero_tail(Context& context, void* argument, std::size_t size, std::size_t known) {
  if (size > kLongestArgument) return std::unexpected(Errno::e2big);
  if (size <= known) return {};
  std::array<std::byte, kLongestArgument> tail;
  const std::size_t bytes = size - known;
  if (auto done = copy_in(context, tail.data(), static_cast<std::byte*>(argument) + known, bytes); !done) return done;
  if (std::ranges::any_of(tail.data(), tail.data() + bytes, [](std::byte each) { return each != std::byte{}; }))
    return std::unexpected(Errno::e2big);
  return {};
}

os::Result<int> IommufdContext::ioctl(Context& context, Description& file, std::uint64_t wanted, void* argument) {
  if (!is_in_table(context.machine.switches, wanted & 0xff)) return compat_ioctl(context, *this, wanted, argument);
  const auto size = copy_in<std::uint32_t>(context, argument);
  if (!size) return std::unexpected(size.error());
  const auto* entry = std::ranges::find(kEntries, wanted, &Entry::request);
  if (entry == kEntries.end()) return std::unexpected(Errno::enotty);
  Command command{context, *this, file, argument, *size};
  return run_command(command, *entry);
}

static IommufdObject* first_unused(const ObjectTable& objects) {
  IommufdObject* each = objects.first();
  while (each != nullptr && each->users != 0) each = each->next;
  return each;
}

void IommufdContext::released(Machine::Impl& machine, Description& file) {
  file.object = nullptr;
  // What holds others goes first
  while (IommufdObject* object = first_unused(objects)) destroy_object(machine, *this, *object);
  machine.arena.destroy(this);
}

Ioas* IommufdContext::find_ioas(std::uint32_t id) const {
  IommufdObject* found = objects.find(id);
  return found != nullptr && found->kind == ObjectKind::ioas ? static_cast<Ioas*>(found) : nullptr;
}

os::Result<FileObject*> open_iommufd(Context& context) {
  return context.machine.arena.make<IommufdContext>();
}

os::Result<Description*> find_iommufd(Context& context, int fd) {
  Slot* slot = context.find(fd);
  if (slot == nullptr) return std::unexpected(Errno::ebadf);
  Description& file = *slot->description;
  // What a recording says was an iommufd has no context
  if (file.device != Device::iommufd || file.object == nullptr) return std::unexpected(Errno::ebadfd);
  return &file;
}

IommufdContext& iommufd_of(const Description& file) {
  return static_cast<IommufdContext&>(*file.object);
}

void destroy_object(Machine::Impl& machine, IommufdContext& iommufd, IommufdObject& object) {
  iommufd.objects.remove(object);
  if (iommufd.compat_ioas == &object) iommufd.compat_ioas = nullptr;
  switch (object.kind) {
    case ObjectKind::ioas:
      empty_ioas(machine, static_cast<Ioas&>(object));
      machine.arena.destroy(static_cast<Ioas*>(&object));
      break;
    case ObjectKind::hwpt:
      clear_hwpt(machine, static_cast<Hwpt&>(object));
      machine.arena.destroy(static_cast<Hwpt*>(&object));
      break;
    case ObjectKind::device:
      machine.arena.destroy(static_cast<IommufdDevice*>(&object));
      break;
    case ObjectKind::fault:
      machine.arena.destroy(static_cast<FaultQueue*>(&object));
      break;
  }
}

os::Result<void> destroy(Command& command, abi::iommu_destroy& argument) {
  IommufdObject* object = command.iommufd.objects.find(argument.id);
  if (object == nullptr) return std::unexpected(Errno::enoent);
  if (object->users != 0) return std::unexpected(Errno::ebusy);
  destroy_object(command.context.machine, command.iommufd, *object);
  return {};
}

}  // namespace vcpr::machine
