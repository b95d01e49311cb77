// A demo VM's process: makes the VM or takes it over, then does what it is told on standard input.
//
// One line in, one line out: "ok ..." or "error ...". The first line a process says is "ready fresh", "ready transfer
// ..." or "ready exec ..." with the times of its steps; lines that begin with "#" are remarks.
#pragma once

#include "engine/examples/demo_vm/options.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::demo {

/// Until "quit" or the end of input. Says why on standard output when it cannot begin: "error ...", and returns 1.
int run(os::Kernel& kernel, const Options& options);

/// The commands, one line each.
std::string_view commands_help();

}  // namespace vcpr::demo
