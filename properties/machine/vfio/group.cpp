#include "properties/machine/vfio/group.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_group(Context&, std::uint32_t) {
  return nullptr;
}

}  // namespace vcpr::machine
