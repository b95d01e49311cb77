#include "properties/machine/vfio/cdev.hpp"

#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_cdev(Context& context, std::uint32_t number) {
  VfioDevice* device = find_cdev(context.machine, number);
  if (device == nullptr || !context.machine.switches.device_cdev) return std::unexpected(os::Errno::enoent);
  return context.machine.arena.make<VfioDeviceFile>(*device, nullptr);
}

}  // namespace vcpr::machine
