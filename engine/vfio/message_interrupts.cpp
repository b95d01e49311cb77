#include "engine/vfio/message_interrupts.hpp"

#include "engine/vfio/pci_device.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

namespace {

void note(Expected<void>& first, Expected<void> result) {
  if (first && !result) first = std::move(result);
}

}  // namespace

MessageInterrupts::MessageInterrupts(PciDevice& device, IrqIndex index, std::uint32_t count, bool with_kvm)
    : function(device), by_kvm(with_kvm), index_(index) {
  for (std::uint32_t number = 0; number < count; ++number) all.emplace_back(device, *this, number);
}

Expected<void> MessageInterrupts::commit() {
  kvm::Vm* kvm = function.vm().kvm;
  return kvm != nullptr ? kvm->commit_routes() : Expected<void>();
}

std::vector<std::int32_t> MessageInterrupts::triggers(std::uint32_t end) const {
  std::vector<std::int32_t> fds(end);
  for (std::uint32_t number = 0; number < end; ++number) fds[number] = wanted_trigger(number);
  return fds;
}

Expected<void> MessageInterrupts::arm(std::uint32_t end) {
  const std::vector<std::int32_t> fds = triggers(end);
  auto armed = function.device().set_triggers(index_, 0, fds);
  if (!armed) return armed;
  host_on = true;
  for (std::uint32_t number = 0; number < end; ++number) all[number].set_armed(fds[number]);
  return {};
}

void MessageInterrupts::close_unarmed() {
  for (Vector& each : all) {
    if (each.is_used() && each.armed() < 0) each.close();
  }
  (void)commit();
}

Expected<void> MessageInterrupts::disable() {
  Expected<void> first;
  if (host_on) note(first, function.device().disable_irqs(index_));
  host_on = on = false;
  for (Vector& each : all) each.close();
  note(first, commit());
  return first;
}

void MessageInterrupts::abandon() {
  for (Vector& each : all) each.close();
}

void MessageInterrupts::send(std::uint32_t number) {
  if (auto sent = function.vm().interrupts.send_message(message(number)); !sent) keep(number);
}

void MessageInterrupts::send_kept(std::uint32_t number) {
  if (!is_masked(number) && take_kept(number)) send(number);
}

void MessageInterrupts::vector_signalled(std::uint32_t number) {
  is_masked(number) ? keep(number) : send(number);
}

Expected<void> MessageInterrupts::let_go() {
  if (!on) return {};
  is_let_go_ = true;
  for (Vector& each : all) {
    if (!each.is_used()) continue;
    if (auto gone = each.detach(); !gone) return gone;
  }
  return_kept();
  return {};
}

/// The other process may have had the irqfds and have died with what KVM took from the eventfds: each vector is
/// signalled once.
Expected<void> MessageInterrupts::take_back() {
  Expected<void> first;
  if (!is_let_go_) return first;
  for (Vector& each : all) {
    if (!each.is_used() || each.is_attached()) continue;
    auto attached = each.attach();
    if (attached) each.signal();
    note(first, std::move(attached));
  }
  is_let_go_ = !first.has_value();
  return first;
}

Expected<void> MessageInterrupts::adopt() {
  on = host_on = true;
  for (std::uint32_t number = 0; number < count(); ++number) {
    if (!has_vector_fd(function, "interrupt", static_cast<std::int32_t>(number))) continue;
    Vector& each = all[number];
    if (auto taken = each.adopt(message(number), by_kvm); !taken) return taken;
    each.set_armed(wanted_trigger(number));
  }
  adopted();
  return {};
}

Expected<void> MessageInterrupts::take_over() {
  for (std::uint32_t number = 0; number < count(); ++number) {
    if (!all[number].is_used()) continue;
    if (auto attached = all[number].attach(); !attached) return attached;
    send_kept(number);
  }
  return {};
}

/// KVM may have taken what was in the eventfd of an irqfd, and a handler what was in its own.
void MessageInterrupts::give_up() {
  for (std::uint32_t number = 0; number < count(); ++number) {
    Vector& each = all[number];
    if (!each.is_used()) continue;
    const bool may_have_taken = each.has_consumed() || (each.has_irqfd() && each.armed() == each.trigger(false));
    (void)each.detach();
    if (may_have_taken) each.signal();
    each.forget();
  }
  (void)commit();
  on = host_on = false;
}

}  // namespace vcpr::vfio
