// The Kernel of the process that runs this code: libc's wrappers, nothing between.
#pragma once

#include <memory>

#include "engine/os/kernel.hpp"

namespace vcpr::os {

/// Repeats interrupted calls as kernel.hpp says; everything else is passed through as it comes.
std::unique_ptr<Kernel> linux_kernel();

}  // namespace vcpr::os
