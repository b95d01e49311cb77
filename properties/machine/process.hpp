// Images and what becomes of a process at execve.
#pragma once

#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;

/// On success the current image is another one: close-on-exec descriptors and all mappings are gone.
os::Result<void> do_execve(Context& context, std::string_view path, std::span<const char* const> arguments);

}  // namespace vcpr::machine
