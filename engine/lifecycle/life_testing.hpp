// An embedder for tests: vCPUs that only note what they were told, and a loop over the process's kernel.
#pragma once

#include "engine/lifecycle/life.hpp"
#include "engine/lifecycle/main_loop.hpp"

namespace vcpr::lifecycle {

class NotingVcpus final : public Vcpus {
 public:
  bool running = false;
  Expected<void> pause() override {
    running = false;
    return {};
  }
  Expected<void> resume() override {
    running = true;
    return {};
  }
};

/// One VM's life in one process.
struct TestLife {
  explicit TestLife(os::Kernel& kernel, Incoming incoming = Incoming::none)
      : loop(kernel), life{.kernel = kernel, .vcpus = vcpus, .loop = loop, .incoming = incoming} {}

  NotingVcpus vcpus;
  MainLoop loop;
  Life life;
};

}  // namespace vcpr::lifecycle
