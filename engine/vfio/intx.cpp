#include "engine/vfio/intx.hpp"

#include "engine/vfio/bars.hpp"
#include "engine/vfio/config_space.hpp"
#include "engine/vfio/vector.hpp"
#include "engine/vfio/vector_entries.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::string_view kInterrupt = "intx-interrupt";
constexpr std::string_view kUnmask = "intx-unmask";

/// How long an interrupt that was put off waits before it is looked whether the guest runs again.
constexpr os::Duration kPutOffFor = os::Duration::milliseconds(10);

void note(Expected<void>& first, Expected<void> result) {
  if (first && !result) first = std::move(result);
}

/// As the old side had it. A GSI below zero becomes one that no pin has.
IntxRoute route_of(const vmstate::IntxState& loaded) {
  if (loaded.route_mode != vmstate::IntxRouteMode::enabled) return {};
  return {.enabled = true, .gsi = static_cast<std::uint32_t>(loaded.route_irq)};
}

}  // namespace

Intx::Intx(PciDevice& device) : device_(device) {
  exists_ = device.config().pin() != 0 && vfio().irq(IrqIndex::intx).count != 0;
}

Intx::~Intx() {
  if (has_handler_) device_.vm().life.loop.unwatch(interrupt_);
  device_.vm().life.loop.cancel(*this);
}

bool Intx::can_use_kvm(const IntxRoute& route) const {
  return device_.vm().kvm != nullptr && device_.options().kvm_intx && route.enabled;
}

/// The irqfd where KVM delivers, else the handler: never both. KVM that could not be connected does not deliver.
Expected<void> Intx::attach() {
  if (unmask_ >= 0) return assign();
  device_.vm().life.loop.watch(interrupt_, *this);
  has_handler_ = true;
  return {};
}

Expected<void> Intx::assign() {
  if (has_irqfd_) return {};
  auto assigned = device_.vm().kvm->assign_irqfd(interrupt_, route_.gsi, unmask_);
  if (!assigned) {
    assigned.error().text = "device " + device_.name() + ": INTx: eventfd " + std::string(Decimal(interrupt_)) + ": " +
                            assigned.error().text;
    return assigned;
  }
  has_irqfd_ = true;
  irqfd_gsi_ = route_.gsi;
  return {};
}

Expected<void> Intx::detach() {
  if (has_handler_) device_.vm().life.loop.unwatch(interrupt_);
  has_handler_ = false;
  if (!has_irqfd_) return {};
  auto deassigned = device_.vm().kvm->deassign_irqfd(interrupt_, irqfd_gsi_);
  if (deassigned) has_irqfd_ = false;
  return deassigned;
}

Expected<void> Intx::set_level(bool up) {
  if (!route_.enabled) return {};
  return device_.vm().interrupts.set_line(route_.gsi, up);
}

void Intx::hide_bars(bool hidden) {
  hides_ = hidden;
  device_.bars().hide(hidden);
  (void)device_.bars().update();
}

Expected<void> Intx::enable() {
  auto interrupt = make_vector_eventfd(device_, kInterrupt, 0);
  if (!interrupt) return std::unexpected(std::move(interrupt.error()));
  interrupt_ = *interrupt;
  device_.vm().life.loop.watch(interrupt_, *this);
  has_handler_ = true;
  auto done = vfio().set_triggers(IrqIndex::intx, 0, {&*interrupt, 1});
  if (!done) {
    abandon();
    return done;
  }
  if (can_use_kvm(route_)) done = connect_kvm();
  if (!done) (void)disable();
  return done;
}

/// Moves the interrupt from the handler to KVM; after an error nobody has it.
Expected<void> Intx::connect_kvm() {
  auto done = move_to_kvm();
  if (done) return done;
  (void)detach();
  (void)forget_unmask();
  return done;
}

/// Masked, so that none falls between.
Expected<void> Intx::move_to_kvm() {
  (void)detach();
  if (auto masked = vfio().mask(IrqIndex::intx, 0); !masked) return masked;
  if (std::exchange(is_pending_, false)) (void)set_level(false);
  if (unmask_ < 0) {
    auto unmask = make_vector_eventfd(device_, kUnmask, 0);
    if (!unmask) return std::unexpected(std::move(unmask.error()));
    unmask_ = *unmask;
    if (auto assigned = assign(); !assigned) return assigned;
    if (auto told = vfio().set_unmask_eventfd(IrqIndex::intx, 0, unmask_); !told) return told;
  } else if (auto assigned = assign(); !assigned) {
    return assigned;
  }
  return vfio().unmask(IrqIndex::intx, 0);
}

/// Goes on after errors: the handler is there in the end.
Expected<void> Intx::disconnect_kvm() {
  Expected<void> first;
  note(first, vfio().mask(IrqIndex::intx, 0));
  note(first, detach());
  note(first, vfio().unmask(IrqIndex::intx, 0));
  return first;
}

/// The device's eventfd and ours, where there is one.
Expected<void> Intx::forget_unmask() {
  if (unmask_ < 0) return {};
  auto told = vfio().set_unmask_eventfd(IrqIndex::intx, 0, -1);
  drop_unmask();
  return told;
}

void Intx::drop_unmask() {
  if (std::exchange(unmask_, -1) >= 0) vfio_cpr_delete_vector_fd(device_, kUnmask, 0);
}

Expected<void> Intx::disable() {
  if (!is_on()) return {};
  Expected<void> first;
  if (has_irqfd_) note(first, disconnect_kvm());
  note(first, detach());
  note(first, vfio().disable_irqs(IrqIndex::intx));
  if (std::exchange(is_pending_, false)) note(first, set_level(false));
  if (hides_) hide_bars(false);
  device_.vm().life.loop.cancel(*this);
  abandon();
  return first;
}

void Intx::abandon() {
  (void)detach();
  has_irqfd_ = is_put_off_ = false;
  drop_unmask();
  if (std::exchange(interrupt_, -1) >= 0) vfio_cpr_delete_vector_fd(device_, kInterrupt, 0);
}

Expected<void> Intx::set_route(const IntxRoute& route, bool is_ours) {
  if (route == route_) return {};
  if (!is_on() || !is_ours) {
    route_ = route;
    return {};
  }
  if (is_pending_ && !has_irqfd_) (void)set_level(false);
  Expected<void> first;
  if (has_irqfd_) note(first, disconnect_kvm());
  route_ = route;
  if (can_use_kvm(route)) {
    note(first, connect_kvm());
  } else {
    note(first, forget_unmask());
  }
  if (!has_irqfd_) {
    device_.vm().life.loop.watch(interrupt_, *this);
    has_handler_ = true;
    note(first, is_pending_ ? set_level(true) : vfio().unmask(IrqIndex::intx, 0));
  }
  return first;
}

/// By this side, which has not let go yet: BARs stay where they are (invariant I11).
bool Intx::is_stopped_for_handover() const {
  return device_.vm().life.run_state == lifecycle::RunState::finish_migrate;
}

/// The signal stays in its eventfd, for the other side, or for this one when its guest runs again.
void Intx::put_off() {
  lifecycle::EventLoop& loop = device_.vm().life.loop;
  if (has_handler_) loop.unwatch(interrupt_);
  has_handler_ = false;
  is_put_off_ = true;
  loop.cancel(*this);
  loop.call_at(os::Deadline::after(device_.vm().life.kernel.now(), kPutOffFor), *this);
}

void Intx::ready(int fd) {
  if (is_stopped_for_handover()) return put_off();
  if (read_eventfd(device_.vm().life.kernel, fd) == 0) return;
  is_pending_ = true;
  (void)set_level(true);
  hide_bars(true);
  lifecycle::Life& life = device_.vm().life;
  life.loop.call_at(os::Deadline::after(life.kernel.now(), kBarsHiddenFor), *this);
}

Expected<void> Intx::guest_accessed() {
  if (!is_pending_) return {};
  is_pending_ = false;
  Expected<void> first = set_level(false);
  note(first, vfio().unmask(IrqIndex::intx, 0));
  return first;
}

void Intx::expired() {
  if (is_stopped_for_handover()) return put_off();
  if (std::exchange(is_put_off_, false)) (void)attach();
  lifecycle::Life& life = device_.vm().life;
  if (is_pending_) {
    life.loop.call_at(os::Deadline::after(life.kernel.now(), kBarsHiddenFor), *this);
  } else if (hides_) {
    hide_bars(false);
  }
}

/// BARs that are hidden stay so: nothing is mapped while the guest is stopped (invariant I11).
Expected<void> Intx::let_go() {
  if (!is_on()) return {};
  is_let_go_ = true;
  is_put_off_ = false;
  device_.vm().life.loop.cancel(*this);
  return detach();
}

/// Whatever the other process took from the eventfd, the device says again when it is asked to unmask.
Expected<void> Intx::take_back() {
  if (!is_let_go_ || !is_on()) return {};
  Expected<void> first = attach();
  if (!first) return first;
  lifecycle::Life& life = device_.vm().life;
  if (hides_) life.loop.call_at(os::Deadline::after(life.kernel.now(), kBarsHiddenFor), *this);
  if (!is_pending_) note(first, vfio().unmask(IrqIndex::intx, 0));
  is_let_go_ = !first.has_value();
  return first;
}

Expected<void> Intx::check_loaded(const vmstate::VfioCprPci& section, bool in_use) const {
  const vmstate::IntxState& loaded = section.intx;
  const IntxRoute route = route_of(loaded);
  if (loaded.route_mode == vmstate::IntxRouteMode::inverted) {
    return refuse(ErrorCode::bad_value, {"INTx: an inverted route"});
  }
  if (route.gsi >= kvm::kPins) {
    return refuse(ErrorCode::bad_value,
                  {"INTx: routed to ", Decimal(loaded.route_irq), ", there are ", Decimal(kvm::kPins), " pins"});
  }
  if (loaded.pending && !in_use) return refuse(ErrorCode::bad_value, {"INTx: pending, though it is not in use"});
  const std::uint32_t pin = device_.config().pin();
  for (std::uint32_t each = 0; each < vmstate::kIntxPins; ++each) {
    const std::uint32_t wanted = loaded.pending && each + 1 == pin ? 1 : 0;
    if (section.function.intx_levels[each] == wanted) continue;
    return refuse(ErrorCode::bad_value,
                  {"INTx: level of pin ", Decimal(each), " is ", Decimal(section.function.intx_levels[each]),
                   ", by what is pending ", Decimal(wanted)});
  }
  if (!in_use) {
    if (auto none = check_no_vector_fd(device_, kInterrupt); !none) return none;
    return check_no_vector_fd(device_, kUnmask);
  }
  if (auto came = check_vector_fd(device_, kInterrupt, 0, "INTx is in use"); !came) return came;
  return can_use_kvm(route) ? Expected<void>() : check_no_vector_fd(device_, kUnmask);
}

void Intx::adopt_route(const vmstate::IntxState& loaded) {
  route_ = route_of(loaded);
}

/// Without an unmask eventfd the old side could not give it to KVM, and went on in user space.
bool Intx::kvm_delivers(const vmstate::IntxState& loaded) const {
  return can_use_kvm(route_of(loaded)) && has_vector_fd(device_, kUnmask, 0);
}

bool Intx::hides_bars(const vmstate::IntxState& loaded) const {
  return loaded.pending && !kvm_delivers(loaded);
}

/// The unmask at the end is the one call that touches the device: an EOI that the old process missed, or a pin that its
/// KVM lowered, would otherwise leave the device masked for ever.
Expected<void> Intx::take_over(const vmstate::IntxState& loaded) {
  auto interrupt = vfio_cpr_load_vector_fd(device_, kInterrupt, 0);
  if (!interrupt) return std::unexpected(std::move(interrupt.error()));
  interrupt_ = *interrupt;
  if (kvm_delivers(loaded)) {
    auto unmask = vfio_cpr_load_vector_fd(device_, kUnmask, 0);
    if (!unmask) return std::unexpected(std::move(unmask.error()));
    unmask_ = *unmask;
  }
  if (auto attached = attach(); !attached) return attached;
  if (hides_bars(loaded)) {
    is_pending_ = hides_ = true;
    expired();
    return set_level(true);
  }
  return vfio().unmask(IrqIndex::intx, 0);
}

void Intx::give_up() {
  if (!is_on()) return;
  (void)detach();
  device_.vm().life.loop.cancel(*this);
  is_pending_ = hides_ = has_irqfd_ = false;
  interrupt_ = unmask_ = -1;
}

void Intx::fill(vmstate::VfioCprPci& section) const {
  section.intx.pending = is_pending_;
  section.intx.route_mode = route_.enabled ? vmstate::IntxRouteMode::enabled : vmstate::IntxRouteMode::disabled;
  section.intx.route_irq = static_cast<std::int32_t>(route_.gsi);
  section.function.intx_levels = {};
  const std::uint32_t pin = device_.config().pin();
  if (pin >= 1 && pin <= vmstate::kIntxPins) section.function.intx_levels[pin - 1] = is_pending_ ? 1 : 0;
}

}  // namespace vcpr::vfio
