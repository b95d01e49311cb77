#include "properties/machine/iommufd/bind.hpp"

namespace vcpr::machine {

os::Result<int> bind_iommufd(Context&, VfioDeviceFile&, void*) {
  return std::unexpected(os::Errno::enotty);
}
os::Result<int> attach_iommufd_pt(Context&, VfioDeviceFile&, void*) {
  return std::unexpected(os::Errno::enotty);
}
os::Result<int> detach_iommufd_pt(Context&, VfioDeviceFile&, void*) {
  return std::unexpected(os::Errno::enotty);
}
void unbind_iommufd(Machine::Impl&, VfioDeviceFile&) {}

}  // namespace vcpr::machine
