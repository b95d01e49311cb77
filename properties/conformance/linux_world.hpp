// The Linux that runs the test, as a World.
#pragma once

#include <memory>
#include <string>

#include "properties/conformance/world.hpp"

namespace vcpr::conformance {

/// `exec_image`: the program that carries on after execve.
std::unique_ptr<World> linux_world(std::string exec_image);
/// Whether this process may exceed limits, as root does.
bool linux_is_privileged();

}  // namespace vcpr::conformance
