#include "properties/machine/machine.hpp"

#include "properties/machine/hash.hpp"
#include "properties/machine/iommufd/iommufd.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/memory.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/unix_socket.hpp"
#include "properties/machine/vfio/device.hpp"
#include "properties/machine/wiring.hpp"

namespace vcpr::machine {

Machine::Machine(const Switches& switches) : impl_(arena_.make<Impl>(arena_, switches)) {}

// Everything of a machine lies in its arena and owns nothing outside.
Machine::~Machine() = default;

Process& Machine::spawn() {
  auto* made = impl_->arena.make<ProcessState>(*impl_, ++impl_->process_count);
  (impl_->last_process != nullptr ? impl_->last_process->next : impl_->first_process) = made;
  impl_->last_process = made;
  return *made;
}

Process& Machine::fork(Process& parent) {
  const ProcessState& from = state_of(parent);
  Process& child = spawn();
  ProcessState& to = state_of(child);
  for (std::uint32_t number = 0; number < from.table.end(); ++number) {
    const Slot* slot = from.table.find(static_cast<int>(number));
    if (slot == nullptr) continue;
    acquire(*slot->description);
    to.table.put(impl_->arena, number, *slot->description, slot->close_on_exec);
  }
  to.space.copy_from(impl_->arena, from.space);
  to.environment.copy_from(impl_->arena, from.environment);
  to.descriptor_limit = from.descriptor_limit;
  to.can_exceed_limits = from.can_exceed_limits;
  to.memlock_limit = from.memlock_limit;
  to.can_lock_memory = from.can_lock_memory;
  return child;
}

void Machine::set_dma_entry_limit(std::uint32_t limit) {
  impl_->switches.dma_entry_limit = limit;
}
void Machine::set_schedule(Schedule* schedule) {
  impl_->schedule = schedule;
}
void Machine::set_listener(Listener* listener) {
  impl_->listener = listener;
}
std::uint64_t Machine::now() const {
  return impl_->now;
}
std::uint64_t Machine::calls() const {
  return impl_->calls;
}

void Machine::advance_time(std::uint64_t nanoseconds) {
  const std::uint64_t limit = os::Deadline::never().nanoseconds;
  impl_->now = nanoseconds > limit - impl_->now ? limit : impl_->now + nanoseconds;
  impl_->trace.word(impl_->now);
  run_timers(*impl_);
}

namespace {

void hash_process(Hasher& hasher, const ProcessState& process) {
  hasher.word(process.lives);
  hasher.word(process.images);
  for (std::uint32_t number = 0; number < process.table.end(); ++number) {
    const Slot* slot = process.table.find(static_cast<int>(number));
    if (slot == nullptr) continue;
    hasher.word(number);
    hasher.word(slot->description->id);
    hasher.word(slot->close_on_exec);
  }
  for (const Variable* each = process.environment.first(); each != nullptr; each = each->next) {
    hasher.text(each->name);
    hasher.text(each->value);
  }
  for (const Mapping* each : process.space.mappings()) {
    hasher.word(each->start);
    hasher.word(each->length);
    hasher.word(static_cast<std::uint64_t>(each->protection));
  }
}

void hash_description(Hasher& hasher, const Description& description) {
  hasher.word(description.references);
  if (description.references == 0) return;
  hasher.word(static_cast<std::uint64_t>(description.kind));
  hasher.word(static_cast<std::uint64_t>(description.flags));
  hasher.word(description.offset);
  hasher.word(description.counter);
  if (description.memory != nullptr) {
    hasher.word(description.memory->size());
    hasher.word(description.memory->seals());
    description.memory->pages().for_each([&](std::uint64_t index, const std::byte* page) {
      hasher.word(index);
      hasher.bytes({page, kPageBytes});
    });
  }
  if (description.socket == nullptr) return;
  for (const Message* each = description.socket->first; each != nullptr; each = each->next) {
    hasher.bytes({each->data + each->consumed, each->size - each->consumed});
    for (std::uint32_t i = 0; i < each->fd_count; ++i) hasher.word(each->fds[i]->id);
  }
}

/// What of a device decides whom it signals next.
void hash_device(Hasher& hasher, const VfioDevice& device) {
  const Interrupts& irqs = device.interrupts;
  hasher.word(device.open_count);
  hasher.word(static_cast<std::uint64_t>(irqs.mode));
  hasher.word(irqs.intx_masked);
  hasher.word(irqs.intx_disabled);
  hasher.word(irqs.msi_requested);
  hasher.word(irqs.msi_held);
  hasher.word(device.function.line);
  hasher.word(device.function.due);
  for (const Description* each : {irqs.intx, irqs.unmask.eventfd, irqs.error, irqs.request})
    hasher.word(each != nullptr ? each->id : 0);
  for (std::uint32_t vector = 0; vector < device.function.model.messages(); ++vector) {
    hasher.word(irqs.vectors[vector] != nullptr ? irqs.vectors[vector]->id : 0);
    hasher.word(irqs.has_vector[vector]);
    hasher.word(device.function.pending[vector]);
    hasher.word(device.function.guest_masked[vector]);
  }
  hasher.bytes({device.function.config, device.function.model.config_bytes()});
}

void hash_mappings(Hasher& hasher, const Machine::Impl& machine) {
  for (const MappingFact& each : mappings(machine)) {
    for (const std::uint64_t word :
         {std::uint64_t{each.space}, each.iova, each.size, each.memory, each.page, each.vaddr})
      hasher.word(word);
    for (const bool bit : {each.may_read, each.may_write, each.is_pinned, each.vaddr_valid, each.owner_alive})
      hasher.word(bit);
    hasher.word(each.owner != nullptr ? each.owner->pid() : 0);
  }
}

/// Who is connected with whom: containers, domains, ids, irqfds.
void hash_wiring(Hasher& hasher, const Machine::Impl& machine) {
  for (const GroupFact& each : groups(machine)) hasher.word(std::uint64_t{each.container} << 32 | each.type1_space);
  for (const DeviceFact& each : devices(machine)) {
    hasher.word(std::uint64_t{each.iommufd} << 32 | each.devid);
    hasher.word(std::uint64_t{each.attached_hwpt} << 32 | each.attached_ioas);
  }
  for (const IrqfdFact& each : irqfds(machine)) {
    hasher.word(std::uint64_t{each.vm} << 32 | each.eventfd);
    hasher.word(std::uint64_t{each.gsi} << 32 | each.resample);
  }
  for (const Description* each = machine.first_description; each != nullptr; each = each->next) {
    if (each->device != Device::iommufd || each->object == nullptr) continue;
    for (const IommufdObject* object = iommufd_of(*each).objects.first(); object != nullptr; object = object->next)
      hasher.word(std::uint64_t{object->id} << 32 | object->users << 8 | static_cast<std::uint32_t>(object->kind));
  }
}

}  // namespace

std::uint64_t Machine::hash() const {
  Hasher hasher = impl_->trace;
  hasher.word(impl_->calls);
  hasher.word(impl_->now);
  for (const ProcessState* each = impl_->first_process; each != nullptr; each = each->next) hash_process(hasher, *each);
  for (const Description* each = impl_->first_description; each != nullptr; each = each->next)
    hash_description(hasher, *each);
  for (const KvmVm* each = impl_->vms; each != nullptr; each = each->next) hash_vm(hasher, *each);
  for (const VfioDevice* each = impl_->devices; each != nullptr; each = each->next) hash_device(hasher, *each);
  hash_mappings(hasher, *impl_);
  hash_wiring(hasher, *impl_);
  return hasher.value();
}

}  // namespace vcpr::machine
