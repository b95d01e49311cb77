// The demo's one vCPU: a thread around KVM_RUN. The guest's accesses to device memory end in the thread of the main
// loop, where the engine is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <linux/kvm.h>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "engine/lifecycle/embedder.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::demo {

/// Device memory as the guest addresses it. Called by the main loop's thread.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual void read(std::uint64_t address, std::span<std::byte> bytes) = 0;
  virtual void write(std::uint64_t address, std::span<const std::byte> bytes) = 0;
};

class Vcpu final : public lifecycle::Vcpus, private lifecycle::FdHandler {
 public:
  Vcpu(os::Kernel& kernel, lifecycle::EventLoop& loop) : kernel_(kernel), loop_(loop) {}
  ~Vcpu() override { detach(); }
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  /// `fd` is KVM's and borrowed until detach(). Without one there is nothing to run, and resume() does nothing.
  Expected<void> attach(int fd, DeviceMemory& memory);
  /// Ends the thread and lets go of the run page, which would keep KVM's VM alive. Idempotent.
  void detach();

  Expected<void> pause() override;
  Expected<void> resume() override;

  /// Why the thread gave up, if it did: an exit it does not know, or an error of KVM_RUN.
  std::optional<Error> trouble();

 private:
  enum class State : std::uint8_t { parked, running, accessing };

  void ready(int fd) override;
  void run();
  bool enter(std::unique_lock<std::mutex>& lock);
  void access(std::unique_lock<std::mutex>& lock);
  void serve();
  void kick();

  os::Kernel& kernel_;
  lifecycle::EventLoop& loop_;
  int fd_ = -1;
  DeviceMemory* memory_ = nullptr;
  kvm_run* page_ = nullptr;
  os::Fd wanted_;  ///< eventfd: an access waits for the main loop
  std::thread thread_;
  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  State state_ = State::parked;
  bool may_run_ = false;
  bool must_end_ = false;
  std::optional<Error> trouble_;
};

}  // namespace vcpr::demo
