#include "properties/machine/device_node.hpp"

#include <algorithm>
#include <charconv>

#include "engine/os/abi.hpp"
#include "properties/machine/iommufd/iommufd.hpp"
#include "properties/machine/kvm/kvm.hpp"
#include "properties/machine/vfio/cdev.hpp"
#include "properties/machine/vfio/container.hpp"
#include "properties/machine/vfio/group.hpp"

namespace vcpr::machine {

namespace {

struct Node {
  std::string_view path;  ///< whole, or before the number
  Device device;
  std::uint32_t permissions;
  std::uint32_t major;
  std::uint32_t minor;
  bool numbered;
};

// Majors and minors are those of Documentation/admin-guide/devices.txt; groups, devices and iommufd have dynamic ones.
constexpr Node kNodes[] = {
    {"/dev/null", Device::null, 0666, 1, 3, false},
    {"/dev/zero", Device::zero, 0666, 1, 5, false},
    {"/dev/kvm", Device::kvm, 0660, 10, 232, false},
    {"/dev/vfio/vfio", Device::vfio_container, 0666, 10, 196, false},
    {"/dev/iommu", Device::iommufd, 0666, 10, 126, false},
    {"/dev/vfio/devices/vfio", Device::vfio_cdev, 0600, 511, 0, true},
    {"/dev/vfio/", Device::vfio_group, 0600, 243, 0, true},
};

/// The number after the prefix, or -1.
std::int64_t number_after(std::string_view path, std::string_view prefix) {
  std::uint32_t number = 0;
  const std::string_view digits = path.substr(prefix.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool plain = error == std::errc{} && end == digits.data() + digits.size();
  return plain ? static_cast<std::int64_t>(number) : -1;
}

const Node* find_node(std::string_view path) {
  const auto* found = std::ranges::find_if(kNodes, [&](const Node& node) {
    if (!node.numbered) return path == node.path;
    return path.starts_with(node.path) && number_after(path, node.path) >= 0;
  });
  return found == std::end(kNodes) ? nullptr : found;
}

}  // namespace

Device find_device(std::string_view path) {
  const Node* node = find_node(path);
  return node == nullptr ? Device::none : node->device;
}

void describe_device(Description& description, Device device, std::string_view path) {
  const Node& node = *find_node(path);
  const std::uint64_t minor = node.numbered ? static_cast<std::uint64_t>(number_after(path, node.path)) : node.minor;
  description.device = device;
  description.mode = os::abi::s_ifchr | node.permissions;
  // makedev of <sys/sysmacros.h>
  description.special_device =
      (std::uint64_t{node.major} << 8) | (minor & 0xff) | ((minor & ~std::uint64_t{0xff}) << 12);
  description.inode = description.special_device;  // one inode per node
}

os::Result<FileObject*> open_node(Context& context, Device device, std::string_view path) {
  const Node& node = *find_node(path);
  const auto number = node.numbered ? static_cast<std::uint32_t>(number_after(path, node.path)) : 0;
  switch (device) {
    case Device::vfio_container:
      return open_container(context);
    case Device::vfio_group:
      return open_group(context, number);
    case Device::vfio_cdev:
      return open_cdev(context, number);
    case Device::iommufd:
      return open_iommufd(context);
    case Device::kvm:
      return open_kvm(context);
    default:
      return nullptr;
  }
}

}  // namespace vcpr::machine
