#include "properties/machine/vfio/container.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_container(Context&) {
  return nullptr;
}

}  // namespace vcpr::machine
