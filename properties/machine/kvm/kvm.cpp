#include "properties/machine/kvm/kvm.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_kvm(Context&) {
  return nullptr;
}

}  // namespace vcpr::machine
