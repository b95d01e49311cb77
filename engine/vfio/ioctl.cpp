#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

Expected<int> call(os::Kernel& kernel, int fd, std::uint64_t request, void* argument,
                   std::initializer_list<std::string_view> what) {
  os::Result<int> result = kernel.ioctl(fd, request, argument);
  if (!result) return refuse_os(result.error(), what);
  return *result;
}

}  // namespace vcpr::vfio
