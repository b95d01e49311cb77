#include "properties/machine/kvm/irqfd.hpp"

#include <utility>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/event_waiter.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

/// All resampling irqfds of one GSI: they share the line.
struct Resampler {
  std::uint32_t gsi = 0;
  Irqfd* first = nullptr;
  Resampler* next = nullptr;
};

class Irqfd final : public EventWaiter {
 public:
  Irqfd(KvmVm& of, Description& on, std::uint32_t to) : vm(of), eventfd(on), gsi(to) {}

  /// irqfd_wakeup: one interrupt, whatever the count.
  void signalled(Machine::Impl& machine, Description& signalled_eventfd) override {
    (void)take_counter(machine, signalled_eventfd);
    inject();
  }
  void hung_up(Machine::Impl&, Description&) override { shut_down(); }
  bool is_exclusive() const override { return true; }

  /// A pulse, or with a resampler a line that stays high (irqfd_inject). The worker behind it is done at once.
  void inject();
  /// irqfd_deactivate and irqfd_shutdown: drains the counter; this object is gone afterwards.
  void shut_down();
  void leave_resampler();

  KvmVm& vm;
  Description& eventfd;
  std::uint32_t gsi;
  Resampler* resampler = nullptr;
  Description* resamplefd = nullptr;
  Irqfd* previous = nullptr;
  Irqfd* next = nullptr;
  Irqfd* next_in_resampler = nullptr;
};

namespace {

Resampler* find_resampler(const KvmVm& vm, std::int64_t gsi) {
  Resampler* each = vm.resamplers;
  while (each != nullptr && each->gsi != gsi) each = each->next;
  return each;
}

void notify(const Resampler& resampler, Machine::Impl& machine) {
  for (const Irqfd* each = resampler.first; each != nullptr; each = each->next_in_resampler)
    signal_eventfd(machine, *each->resamplefd);
}

void join_resampler(Irqfd& irqfd, Description& resamplefd) {
  KvmVm& vm = irqfd.vm;
  Resampler* found = find_resampler(vm, irqfd.gsi);
  if (found == nullptr) {
    found = vm.machine.arena.make<Resampler>(irqfd.gsi, nullptr, vm.resamplers);
    vm.resamplers = found;
  }
  irqfd.resampler = found;
  irqfd.resamplefd = &resamplefd;
  irqfd.next_in_resampler = std::exchange(found->first, &irqfd);
}

/// The irqfd of the VM on an eventfd; there is one at most. Irqfds are the only waiters that wait exclusively.
Irqfd* find_irqfd(const KvmVm& vm, const Description& eventfd) {
  for (EventWaiter* each = eventfd.waiters; each != nullptr && each->is_exclusive(); each = each->next_waiter)
    if (auto* irqfd = static_cast<Irqfd*>(each); &irqfd->vm == &vm) return irqfd;
  return nullptr;
}

/// Whether another irqfd bars this one: of any VM, or by the older rule of the same VM only.
bool is_taken(const Irqfd& irqfd) {
  if (irqfd.vm.machine.switches.irqfd_excludes_other_vms) return has_exclusive_waiter(irqfd.eventfd);
  return find_irqfd(irqfd.vm, irqfd.eventfd) != nullptr;
}

/// The rest of kvm_irqfd_assign, once the arguments are good.
os::Result<int> assign(Irqfd& irqfd, Description* resamplefd) {
  KvmVm& vm = irqfd.vm;
  if (resamplefd != nullptr) join_resampler(irqfd, *resamplefd);
  if (is_taken(irqfd)) {
    irqfd.leave_resampler();
    vm.machine.arena.destroy(&irqfd);
    return std::unexpected(Errno::ebusy);
  }
  vm.machine.irqfds_too_many += has_exclusive_waiter(irqfd.eventfd);
  add_waiter(irqfd.eventfd, irqfd);
  irqfd.previous = std::exchange(vm.last_irqfd, &irqfd);
  (irqfd.previous != nullptr ? irqfd.previous->next : vm.irqfds) = &irqfd;
  if (irqfd.eventfd.counter != 0) irqfd.inject();  // the count stays
  return 0;
}

/// kvm_irqfd_assign
os::Result<int> check_and_assign(Context& context, KvmVm& vm, const abi::kvm_irqfd& arguments) {
  const bool resample = (arguments.flags & abi::kvm_irqfd_flag_resample) != 0;
  if (vm.irqchip == Irqchip::none || (resample && vm.irqchip == Irqchip::split)) return std::unexpected(Errno::einval);
  Arena& arena = vm.machine.arena;
  if (context.fires(FaultPoint::ioctl_irqfd_enomem) || !arena.has_room_for(sizeof(Irqfd)))
    return std::unexpected(Errno::enomem);
  const auto eventfd = find_eventfd(context, static_cast<int>(arguments.fd));
  if (!eventfd) return std::unexpected(eventfd.error());
  Description* resamplefd = nullptr;
  if (resample) {
    const auto found = find_eventfd(context, static_cast<int>(arguments.resamplefd));
    if (!found) return std::unexpected(found.error());
    resamplefd = *found;
  }
  return assign(*arena.make<Irqfd>(vm, **eventfd, arguments.gsi), resamplefd);
}

/// kvm_irqfd_deassign: no match is success.
os::Result<int> deassign(Context& context, KvmVm& vm, const abi::kvm_irqfd& arguments) {
  const auto eventfd = find_eventfd(context, static_cast<int>(arguments.fd));
  if (!eventfd) return std::unexpected(eventfd.error());
  Irqfd* found = find_irqfd(vm, **eventfd);
  if (found != nullptr && found->gsi == arguments.gsi) found->shut_down();
  return 0;
}

}  // namespace

void Irqfd::inject() {
  const int taken = set_irq(vm, resampler != nullptr ? LineSource::resampler : LineSource::user, gsi, true);
  vm.machine.injections.append(vm.machine.arena, {vm.machine.current_call, vm.description, eventfd.id, gsi, taken});
  if (resampler == nullptr) (void)set_irq(vm, LineSource::user, gsi, false);
}

void Irqfd::leave_resampler() {
  Resampler* left = std::exchange(resampler, nullptr);
  if (left == nullptr) return;
  Irqfd** link = &left->first;
  while (*link != this) link = &(*link)->next_in_resampler;
  *link = next_in_resampler;
  if (left->first != nullptr) return;
  Resampler** place = &vm.resamplers;
  while (*place != left) place = &(*place)->next;
  *place = left->next;
  (void)set_irq(vm, LineSource::resampler, gsi, false);
  vm.machine.arena.destroy(left);
}

void Irqfd::shut_down() {
  (previous != nullptr ? previous->next : vm.irqfds) = next;
  (next != nullptr ? next->previous : vm.last_irqfd) = previous;
  remove_waiter(eventfd, *this);
  vm.machine.irqfds_too_many -= has_exclusive_waiter(eventfd);
  (void)take_counter(vm.machine, eventfd);
  leave_resampler();
  vm.machine.arena.destroy(this);
}

os::Result<int> do_irqfd(Context& context, KvmVm& vm, const void* argument) {
  const auto arguments = copy_in<abi::kvm_irqfd>(context, argument);
  if (!arguments) return std::unexpected(arguments.error());
  if ((arguments->flags & ~(abi::kvm_irqfd_flag_deassign | abi::kvm_irqfd_flag_resample)) != 0)
    return std::unexpected(Errno::einval);
  const bool removes = (arguments->flags & abi::kvm_irqfd_flag_deassign) != 0;
  return removes ? deassign(context, vm, *arguments) : check_and_assign(context, vm, *arguments);
}

void remove_irqfds(KvmVm& vm) {
  while (vm.irqfds != nullptr) vm.irqfds->shut_down();
}

void for_each_irqfd(
    const KvmVm& vm,
    const std::function<void(const Description& eventfd, std::uint32_t gsi, const Description* resample)>& visit) {
  for (const Irqfd* each = vm.irqfds; each != nullptr; each = each->next)
    visit(each->eventfd, each->gsi, each->resamplefd);
}

bool has_resampler(const KvmVm& vm, std::int64_t gsi) {
  return find_resampler(vm, gsi) != nullptr;
}

void acknowledge_gsi(KvmVm& vm, std::int64_t gsi) {
  const Resampler* resampler = find_resampler(vm, gsi);
  if (resampler == nullptr) return;
  (void)set_irq(vm, LineSource::resampler, resampler->gsi, false);
  notify(*resampler, vm.machine);
}

void notify_resampler(KvmVm& vm, std::int64_t gsi) {
  if (const Resampler* resampler = find_resampler(vm, gsi)) notify(*resampler, vm.machine);
}

}  // namespace vcpr::machine
