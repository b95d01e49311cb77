// /dev/kvm: what makes VMs.
#pragma once

#include "properties/machine/device_node.hpp"

namespace vcpr::machine {

os::Result<FileObject*> open_kvm(Context& context);

}  // namespace vcpr::machine
