// What the tests of this room share: a process with a VM, what its guest sees, and a Kernel that fails on demand.
#pragma once

#include <gtest/gtest.h>
#include <optional>

#include "engine/kvm/vm.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/null_kernel.hpp"
#include "properties/machine/kvm/guest.hpp"
#include "properties/machine/kvm/vcpu.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::kvm::testing {

/// Passes on what this room calls; one of these calls can fail before it reaches the kernel.
class FailingKernel final : public store::NullKernel {
 public:
  explicit FailingKernel(os::Kernel& to) : inner(&to) {}

  os::Kernel* inner;
  std::optional<std::uint32_t> fails_at;  ///< the number of that call
  std::uint32_t calls = 0;                ///< open and ioctl, from 0

  os::Result<int> open(const char* path, int flags) override {
    if (fails_at == calls++) return std::unexpected(os::Errno::enomem);
    return inner->open(path, flags);
  }
  os::Result<int> ioctl(int fd, std::uint64_t request, void* argument) override {
    if (fails_at == calls++) return std::unexpected(os::Errno::enomem);
    return inner->ioctl(fd, request, argument);
  }
  os::Result<void> close(int fd) override { return inner->close(fd); }
};

/// To vCPU `vcpu` alone, an edge.
inline MsiMessage message_of(std::uint8_t vector, std::uint8_t vcpu = 0) {
  return {.address = 0xfee00000 | std::uint64_t{vcpu} << 12, .data = vector};
}

/// A process with a VM whose local APICs take interrupts.
struct Side {
  explicit Side(machine::Machine& on, std::uint32_t vcpus = 1) : Side(on, on.spawn(), vcpus) {}
  Side(machine::Machine& on, machine::Process& of, std::uint32_t vcpus)
      : host(on), process(of), kernel(of.kernel()), vm(*Vm::create(kernel, vcpus)) {}

  machine::KvmVm& inside() { return *machine::find_vm(host.impl(), description(vm.vm_fd())); }
  machine::Vcpu& vcpu(std::uint32_t id = 0) { return *machine::find_vcpu(inside(), id); }
  void enable_apics() {
    for (machine::Vcpu* each = inside().vcpus; each != nullptr; each = each->next)
      each->lapic.write(machine::ApicRegister::spurious, 0x1ff);
  }
  /// The vector that the guest takes now; -1 for none.
  int take(std::uint32_t id = 0) { return machine::take_interrupt(vcpu(id)); }

  int eventfd() { return *kernel.eventfd(0, os::abi::efd_nonblock | os::abi::efd_cloexec); }
  void signal(int fd) {
    const std::uint64_t one = 1;
    EXPECT_TRUE(kernel.write(fd, std::as_bytes(std::span(&one, 1))));
  }
  std::uint64_t count(int fd) { return machine::Truth(host).description(description(fd)).counter; }
  std::uint32_t description(int fd) { return machine::Truth(host).description_of(process, fd); }

  machine::Machine& host;
  machine::Process& process;
  os::Kernel& kernel;
  Vm vm;
};

/// A process with copies of the other's descriptors, under the same numbers, and a VM of its own.
inline Side heir_of(Side& other) {
  return {other.host, other.host.fork(other.process), other.vm.vcpu_count()};
}

}  // namespace vcpr::kvm::testing
