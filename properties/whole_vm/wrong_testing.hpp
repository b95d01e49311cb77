// What tests do to a VM on its way, to see that an invariant notices.
#pragma once

#include <functional>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "engine/os/abi/kvm.hpp"
#include "properties/whole_vm/trial.hpp"

namespace vcpr::whole_vm {

/// Of the first entry whose name contains `name`, in the old process; -1: none.
inline int old_file(Rig& rig, std::string_view name) {
  for (const store::Entry& each : rig.old_owner()->vm->life().cpr.descriptors)
    if (each.key.name.find(name) != std::string_view::npos) return each.number;
  return -1;
}

/// The same file in the new process, which may not have it yet.
inline int new_file(Rig& rig, std::string_view name) {
  const machine::Truth truth(rig.machine());
  const std::uint32_t wanted = truth.description_of(rig.old_owner()->process, old_file(rig, name));
  for (const machine::DescriptorFact& each : truth.descriptors(rig.new_owner()->process))
    if (each.description == wanted) return each.number;
  return -1;
}

inline bool new_is_built(Rig& rig) {
  return rig.new_owner() != nullptr && rig.new_owner()->vm != nullptr;
}

/// Another VM of that process, with an irqfd on `eventfd`.
inline void make_irqfd(Owner& owner, int eventfd) {
  os::Kernel& kernel = owner.kernel;
  const int kvm = kernel.open("/dev/kvm", os::abi::o_rdwr).value();
  const int vm = kernel.ioctl(kvm, os::abi::request::kvm_create_vm, nullptr).value();
  ASSERT_TRUE(kernel.ioctl(vm, os::abi::request::kvm_create_irqchip, nullptr));
  os::abi::kvm_irqfd irqfd{};
  irqfd.fd = static_cast<std::uint32_t>(eventfd);
  ASSERT_TRUE(kernel.ioctl(vm, os::abi::request::kvm_irqfd, &irqfd));
}

inline void set_lapic(Owner& owner) {
  os::abi::kvm_lapic_state apic{};
  (void)owner.kernel.ioctl(owner.vm->kvm()->vcpu_fd(0), os::abi::request::kvm_set_lapic, &apic);
}

/// `before_call` happens before each of its calls.
inline Attempt attempt_with(const std::function<void(Rig&)>& before_call,
                            lifecycle::Mode mode = lifecycle::Mode::cpr_transfer) {
  constexpr std::uint64_t kCalls = 600;  // more than one makes
  Attempt attempt{.mode = mode};
  for (std::uint64_t at = 0; at < kCalls; ++at) attempt.events.push_back({.at = at, .action = before_call});
  return attempt;
}

}  // namespace vcpr::whole_vm
