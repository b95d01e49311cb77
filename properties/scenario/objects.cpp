#include "properties/scenario/objects.hpp"

#include <array>

#include "engine/os/abi.hpp"

namespace vcpr::scenario {

namespace {

constexpr std::uint64_t device_number(std::uint64_t major, std::uint64_t minor) {
  return major << 8 | minor;
}

machine::Described of_kind(machine::FileKind kind, std::string_view link = {}) {
  machine::Described described;
  described.kind = kind;
  described.link = link;
  return described;
}

machine::Described character_device(std::string_view link, std::uint64_t number) {
  machine::Described described = of_kind(machine::FileKind::character_device, link);
  described.special_device = number;
  return described;
}

/// Paths of the groups a scenario can have; a Described borrows its link for the call only, but a string per call costs
/// more than the table.
std::string_view group_path(std::uint32_t number) {
  static constexpr std::array<std::string_view, 4> kPaths{"/dev/vfio/7", "/dev/vfio/12", "/dev/vfio/13",
                                                          "/dev/vfio/noiommu-3"};
  return kPaths[number % kPaths.size()];
}

machine::Described describe_eventfd(const Entry& entry) {
  machine::Described described = of_kind(machine::FileKind::eventfd);
  described.counter = entry.value;
  described.semaphore = (entry.flags & kSemaphore) != 0;
  return described;
}

machine::Described describe_memfd(const Entry& entry) {
  machine::Described described = of_kind(machine::FileKind::memfd);
  described.size = entry.value;
  described.offset = entry.offset;
  described.seals = entry.seals;
  return described;
}

machine::Described describe_object(const Entry& entry) {
  switch (entry.object) {
    case Object::eventfd:
      return describe_eventfd(entry);
    case Object::memfd:
      return describe_memfd(entry);
    case Object::vfio_container:
      return character_device("/dev/vfio/vfio", device_number(10, 196));
    case Object::vfio_group:
      return character_device(group_path(entry.value), device_number(242, entry.value));
    case Object::vfio_device:
      return of_kind(machine::FileKind::anonymous, "anon_inode:[vfio-device]");
    case Object::iommufd:
      return character_device("/dev/iommu", device_number(10, 124));
    case Object::socket:
      return of_kind(machine::FileKind::socket);
    default:
      return character_device("/dev/null", device_number(1, 3));
  }
}

}  // namespace

machine::Described describe(const Entry& entry) {
  machine::Described described = describe_object(entry);
  described.close_on_exec = (entry.flags & kKeptOnExec) == 0;
  if (entry.flags & kNonBlocking) described.status_flags |= os::abi::o_nonblock;
  return described;
}

bool kind_fits(Object object, NameKind name) {
  switch (name) {
    case NameKind::vfio_group:
      return object == Object::vfio_group;
    case NameKind::container:
      return object == Object::vfio_container;
    case NameKind::interrupt:
    case NameKind::kvm_interrupt:
    case NameKind::intx_interrupt:
    case NameKind::intx_unmask:
    case NameKind::err_notifier:
    case NameKind::req_notifier:
      return object == Object::eventfd;
    default:
      return true;
  }
}

bool name_may_share(NameKind name) {
  return name == NameKind::container;
}

bool record_fits(const Device& device) {
  return device.devid >= 1 && device.ioas_id != 0;
}

}  // namespace vcpr::scenario
