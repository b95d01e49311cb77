// What the log of a real QEMU says of a handover.
#pragma once

#include <string>
#include <vector>

#include "properties/handover/figures.hpp"

namespace vcpr::live {

/// Makes QEMU log, with the time, the events that are read here.
std::vector<std::string> qemu_log_arguments();

/// What the log of a process says after it became another program; empty: that did not happen.
std::string after_exec(const std::string& log);

/// True when the new side has all of the VM, and may run it at any moment.
bool has_loaded(const std::string& new_log);
/// True when it runs it.
bool has_taken_over(const std::string& new_log);

/// The spans of `measure`, as far as they can be told apart: what of the VM is neither vCPU nor interrupt is let go
/// while the state is written. By exec `old_log` is the process's whole log, and `new_log` what follows the exec in it.
Times qemu_times(const std::string& old_log, const std::string& new_log, bool by_exec, long downtime);

}  // namespace vcpr::live
