// VIOMMU_ALLOC and what builds on it: an IOMMU in legacy mode has no such object (drivers/iommu/iommufd/viommu.c).
#include "properties/machine/iommufd/handlers.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

os::Result<void> viommu_alloc(Command& command, abi::iommu_viommu_alloc& argument) {
  if (argument.flags != 0 || argument.type == abi::iommu_viommu_type_default) return std::unexpected(Errno::eopnotsupp);
  const IommufdObject* device = command.iommufd.objects.find(argument.dev_id);
  if (device == nullptr || device->kind != ObjectKind::device) return std::unexpected(Errno::enoent);
  return std::unexpected(Errno::eopnotsupp);
}

os::Result<void> vdevice_alloc(Command&, abi::iommu_vdevice_alloc&) {
  return std::unexpected(Errno::enoent);
}

os::Result<void> veventq_alloc(Command&, abi::iommu_veventq_alloc& argument) {
  constexpr std::uint32_t deepest = std::uint32_t{1} << 19;
  if (argument.flags != 0 || argument.reserved != 0 || argument.type == 0) return std::unexpected(Errno::eopnotsupp);
  if (argument.veventq_depth == 0 || argument.veventq_depth > deepest) return std::unexpected(Errno::einval);
  return std::unexpected(Errno::enoent);
}

os::Result<void> hw_queue_alloc(Command&, abi::iommu_hw_queue_alloc& argument) {
  if (argument.flags != 0 || argument.type == 0) return std::unexpected(Errno::eopnotsupp);
  if (argument.length == 0) return std::unexpected(Errno::einval);
  if (argument.length - 1 > ~argument.nesting_parent_iova) return std::unexpected(Errno::eoverflow);
  return std::unexpected(Errno::enoent);
}

}  // namespace vcpr::machine
