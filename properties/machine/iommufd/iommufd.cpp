#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_iommufd(Context&) {
  return nullptr;
}

}  // namespace vcpr::machine
