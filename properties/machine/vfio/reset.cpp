#include "properties/machine/vfio/reset.hpp"

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

os::Result<int> reset_device(Context& context, VfioDevice& device) {
  if (!device.function.model.can_reset) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_reset_eagain)) return std::unexpected(Errno::eagain);
  reset_function(device.function);
  return 0;
}

os::Result<int> get_hot_reset_info(Context& context, void* argument) {
  const auto info = copy_in<abi::vfio_pci_hot_reset_info>(context, argument);
  if (!info) return std::unexpected(info.error());
  if (info->argsz < sizeof *info) return std::unexpected(Errno::einval);
  return std::unexpected(Errno::enodev);
}

os::Result<int> hot_reset(Context& context, const VfioDeviceFile& file, void* argument) {
  const auto request = copy_in<abi::vfio_pci_hot_reset>(context, argument);
  if (!request) return std::unexpected(request.error());
  if (request->argsz < sizeof *request || request->flags != 0) return std::unexpected(Errno::einval);
  const bool is_cdev = file.group == nullptr;
  if ((request->count != 0) == is_cdev) return std::unexpected(Errno::einval);
  return std::unexpected(Errno::enodev);
}

}  // namespace vcpr::machine
