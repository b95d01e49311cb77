// irqfds: eventfds whose signals become interrupts of a VM (virt/kvm/eventfd.c).
#pragma once

#include <cstdint>
#include <functional>

#include "engine/os/kernel.hpp"

namespace vcpr::machine {

struct Context;
struct Description;
struct KvmVm;

/// KVM_IRQFD: assign and deassign.
os::Result<int> do_irqfd(Context& context, KvmVm& vm, const void* argument);
/// kvm_irqfd_release: at the last close of the VM's file.
void remove_irqfds(KvmVm& vm);
/// In the order they were assigned; without a resamplefd, null.
void for_each_irqfd(
    const KvmVm& vm,
    const std::function<void(const Description& eventfd, std::uint32_t gsi, const Description* resample)>& visit);
/// Whether a resampler waits for the end of interrupts on this GSI (kvm_irq_has_notifier).
bool has_resampler(const KvmVm& vm, std::int64_t gsi);
/// The guest has ended an interrupt of this GSI: the line falls, the resamplefds are signalled (irqfd_resampler_ack).
void acknowledge_gsi(KvmVm& vm, std::int64_t gsi);
/// Signals the resamplefds of a GSI without touching the line (kvm_notify_irqfd_resampler).
void notify_resampler(KvmVm& vm, std::int64_t gsi);

}  // namespace vcpr::machine
