#include "properties/machine/vfio/cdev.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_cdev(Context&, std::uint32_t) {
  return nullptr;
}

}  // namespace vcpr::machine
