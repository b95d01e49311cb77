// The new side of a handover in the demo.
#pragma once

#include "engine/examples/demo_vm/demo_vm.hpp"
#include "engine/lifecycle/main_loop.hpp"

namespace vcpr::demo {

/// Takes the VM that another process, or the image before this one, hands over; it runs then as it ran there.
Expected<std::unique_ptr<DemoVm>> take_over(os::Kernel& kernel, lifecycle::MainLoop& loop, const Options& options,
                                            Steps& steps);

}  // namespace vcpr::demo
