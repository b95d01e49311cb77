#include "properties/streams/stand_in.hpp"

namespace vcpr::streams {

using machine::FileKind;
using store::DescriptorKind;

namespace {

/// makedev(10, 196): VFIO_MINOR (include/linux/miscdevice.h). A group's major is dynamic.
constexpr std::uint64_t kContainerDevice = 10u << 8 | 196u;
constexpr std::uint64_t kGroupDevice = 511u << 8;

machine::Described described(FileKind kind, std::string_view link = {}, std::uint64_t special_device = 0) {
  machine::Described description;
  description.kind = kind;
  description.link = link;
  description.special_device = special_device;
  if (kind == FileKind::memfd) description.size = 4096;
  return description;
}

}  // namespace

machine::Described stand_in(DescriptorKind kind) {
  switch (kind) {
    case DescriptorKind::any:
    case DescriptorKind::file:
      return described(FileKind::memfd);
    case DescriptorKind::eventfd:
      return described(FileKind::eventfd);
    case DescriptorKind::vfio_container:
      return described(FileKind::character_device, "/dev/vfio/vfio", kContainerDevice);
    case DescriptorKind::vfio_group:
      return described(FileKind::character_device, "/dev/vfio/12", kGroupDevice);
    case DescriptorKind::device:
      return described(FileKind::anonymous, "anon_inode:[vfio-device]");
    case DescriptorKind::socket:
      return described(FileKind::socket);
    case DescriptorKind::pipe:
      return described(FileKind::pipe);
    case DescriptorKind::other:
      return described(FileKind::anonymous, "anon_inode:[eventpoll]");
  }
  return {};
}

machine::Described stand_in_for(std::string_view entry_name) {
  return stand_in(store::required_kind(entry_name));
}

}  // namespace vcpr::streams
