// The Linux that runs the test, as a World.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "properties/conformance/world.hpp"

namespace vcpr::conformance {

/// `exec_image`: the program that carries on after execve.
std::unique_ptr<World> linux_world(std::string exec_image);
/// What such a program does: the second half of a case; its failures, line by line, to the descriptor. The exit code.
int carry_on_after_exec(std::string_view id, int report_fd);
/// Whether this process may exceed limits, as root does.
bool linux_is_privileged();

}  // namespace vcpr::conformance
