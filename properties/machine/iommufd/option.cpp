// IOMMU_OPTION and IOMMU_VFIO_IOAS: what holds for a whole context or IOAS.
#include "properties/machine/iommufd/handlers.hpp"
#include "properties/machine/iommufd/ioas.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// iommufd_option_rlimit_mode.
os::Result<void> rlimit_mode(Command& command, abi::iommu_option& argument) {
  if (argument.object_id != 0) return std::unexpected(Errno::eopnotsupp);
  if (argument.op == abi::iommu_option_op_get) {
    argument.val64 = command.iommufd.charges_mm;
    return {};
  }
  if (argument.op != abi::iommu_option_op_set) return std::unexpected(Errno::eopnotsupp);
  if (!command.context.process.can_exceed_limits) return std::unexpected(Errno::eperm);
  if (command.iommufd.objects.first() != nullptr) return std::unexpected(Errno::ebusy);
  if (argument.val64 > 1) return std::unexpected(Errno::einval);
  command.iommufd.charges_mm = argument.val64 == 1;
  return {};
}

/// iommufd_ioas_option. No domain of this IOMMU keeps large pages, so that only the alignment shows.
os::Result<void> ioas_option(Command& command, abi::iommu_option& argument) {
  Ioas* ioas = command.iommufd.find_ioas(argument.object_id);
  if (ioas == nullptr) return std::unexpected(Errno::enoent);
  if (argument.option_id != abi::iommu_option_huge_pages) return std::unexpected(Errno::eopnotsupp);
  if (argument.op == abi::iommu_option_op_get) {
    argument.val64 = ioas->large_pages;
    return {};
  }
  if (argument.op != abi::iommu_option_op_set) return std::unexpected(Errno::eopnotsupp);
  if (argument.val64 > 1) return std::unexpected(Errno::einval);
  if (argument.val64 == 0) return disable_large_pages(*ioas);
  enable_large_pages(*ioas);
  return {};
}

}  // namespace

os::Result<void> option(Command& command, abi::iommu_option& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  os::Result<void> done = std::unexpected(Errno::eopnotsupp);
  if (argument.option_id == abi::iommu_option_rlimit_mode) done = rlimit_mode(command, argument);
  if (argument.option_id == abi::iommu_option_huge_pages) done = ioas_option(command, argument);
  return done ? command.respond(argument) : done;
}

os::Result<void> vfio_ioas(Command& command, abi::iommu_vfio_ioas& argument) {
  if (argument.reserved != 0) return std::unexpected(Errno::eopnotsupp);
  IommufdContext& iommufd = command.iommufd;
  switch (argument.op) {
    case abi::iommu_vfio_ioas_get:
      if (iommufd.compat_ioas == nullptr) return std::unexpected(Errno::enodev);
      argument.ioas_id = iommufd.compat_ioas->id;
      return command.respond(argument);
    case abi::iommu_vfio_ioas_set: {
      Ioas* ioas = iommufd.find_ioas(argument.ioas_id);
      if (ioas == nullptr) return std::unexpected(Errno::enoent);
      iommufd.compat_ioas = ioas;
      return {};
    }
    case abi::iommu_vfio_ioas_clear:
      iommufd.compat_ioas = nullptr;
      return {};
    default:
      return std::unexpected(Errno::eopnotsupp);
  }
}

}  // namespace vcpr::machine
