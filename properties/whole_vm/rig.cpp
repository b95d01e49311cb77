#include "properties/whole_vm/rig.hpp"

#include <algorithm>

#include "properties/machine/truth.hpp"

namespace vcpr::whole_vm {

namespace {

/// Turns of main loops and guest after which it is not going to settle.
constexpr int kMaxSettling = 1000;

vm::PciConfig pci_config(const DeviceShape& shape, std::uint32_t number) {
  vm::PciConfig config;
  config.device.name = host_address(number);
  if (shape.backend == Backend::legacy) {
    config.device.group = number + 1;
  } else {
    config.device.iommufd = "iommufd0";
    config.device.cdev = "/dev/vfio/devices/vfio" + std::to_string(number);
  }
  config.options.path = "0000:00:0" + std::to_string(number + 2) + ".0";
  return config;
}

}  // namespace

void Owner::take(std::unique_ptr<vm::VirtualMachine> made) {
  vm = std::move(made);
  vm->life().participants.add(bystander, lifecycle::Rank::devices, lifecycle::kEveryMode);
}

bool Owner::has_vm() const {
  if (!process.alive() || !vm) return false;
  const lifecycle::RunState state = vm->life().run_state;
  return vcpus.running() || (state == lifecycle::RunState::suspended && !vm->life().is_incoming());
}

Rig::Rig(const Shape& shape) : shape_(shape), machine_(std::make_unique<machine::Machine>(shape.switches)) {
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i)
    machine_->plug({shape_.devices[i].model, i + 1, host_address(i)});
  guest_ = std::make_unique<Guest>(*machine_, shape_);
  config_.kvm = shape_.kvm;
  for (std::uint32_t i = 0; i < shape_.ram_blocks; ++i)
    config_.ram.push_back({.name = "ram" + std::to_string(i), .size = kRamBytes, .address = i * kRamBytes * 2});
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i) config_.devices.push_back(pci_config(shape_.devices[i], i));
}

Rig::~Rig() {
  machine_->set_schedule(nullptr);
}

Expected<void> Rig::boot() {
  owner_ = &owners_.emplace_back(*machine_, machine_->spawn(), *guest_);
  auto vm = vm::VirtualMachine::create(owner_->kernel, owner_->embedder(), config());
  if (!vm) return std::unexpected(std::move(vm.error()));
  owner_->take(std::move(*vm));
  if (auto done = guest_->boot(*owner_->vm, owner_->process); !done) return done;
  auto started = owner_->vm->start();
  machine_->set_schedule(this);
  return started;
}

void Rig::kill(Owner& owner) {
  owner.vcpus.stop();
  owner.process.kill();
}

std::uint64_t Rig::call() const {
  return machine_->calls() - first_call_;
}

void Rig::postpone(std::function<void(Rig&)> action) {
  if (attempt_ == nullptr) return action(*this);
  postponed_.push_back(std::move(action));
}

bool Rig::do_postponed() {
  const bool has_any = !postponed_.empty();
  for (std::size_t next = 0; next < postponed_.size(); ++next) {
    auto action = std::move(postponed_[next]);  // it may postpone more
    action(*this);
  }
  postponed_.clear();
  return has_any;
}

Owner* Rig::running() {
  for (Owner* each : {new_, old_, owner_}) {
    if (each != nullptr && each->process.alive() && each->vm && each->vcpus.running()) return each;
  }
  return nullptr;
}

Expected<void> Rig::unplug(std::uint32_t device) {
  Owner* owner = running();
  if (owner == nullptr) return refuse(ErrorCode::bad_state, {"nobody runs the VM"});
  if (auto done = owner->vm->unplug(host_address(device)); !done) return done;
  std::erase_if(config_.devices, [&](const vm::PciConfig& each) { return each.device.name == host_address(device); });
  guest_->forget(device);
  return {};
}

Expected<void> Rig::plug(std::uint32_t device) {
  Owner* owner = running();
  if (owner == nullptr) return refuse(ErrorCode::bad_state, {"nobody runs the VM"});
  const vm::PciConfig config = pci_config(shape_.devices[device], device);
  if (auto made = owner->vm->plug(config); !made) return std::unexpected(std::move(made.error()));
  config_.devices.push_back(config);
  return guest_->enable(*owner->vm, device, true);
}

bool Rig::is_plugged(std::uint32_t device) const {
  return std::ranges::any_of(config_.devices,
                             [&](const vm::PciConfig& each) { return each.device.name == host_address(device); });
}

void Rig::load_fault(const Event& event) {
  if (event.fault == machine::FaultPoint::none) return;
  const auto rule = std::ranges::find(machine::fault_table(), event.fault, &machine::FaultRule::point);
  armed_.push_back({event.fault, rule->call, event.times});
}

machine::FaultPoint Rig::before(const machine::CallSite& site) {
  if (attempt_ == nullptr) return machine::FaultPoint::none;
  while (next_event_ < attempt_->events.size() && attempt_->events[next_event_].at < call()) {
    const Event& event = attempt_->events[next_event_++];
    if (event.action) event.action(*this);
    load_fault(event);
  }
  const auto armed =
      std::ranges::find_if(armed_, [&](const Armed& each) { return each.call == site.call && each.times != 0; });
  if (armed == armed_.end()) return machine::FaultPoint::none;
  --armed->times;
  return armed->point;
}

/// Calls so far but those by which a main loop looks whether there is anything to do.
std::uint64_t Rig::calls_at_work(const Owner& owner) const {
  const machine::Truth truth(*machine_);
  return machine_->calls() - truth.calls_of(owner.process, machine::Call::poll) -
         truth.calls_of(owner.process, machine::Call::now);
}

bool Rig::run_owner(Owner& owner) {
  if (!owner.process.alive() || !owner.vm) return false;
  const std::uint64_t before = calls_at_work(owner);
  (void)owner.loop.turn({machine_->now()});
  const bool called = calls_at_work(owner) != before;
  const bool asleep = owner.vm->life().run_state == lifecycle::RunState::suspended;
  const bool handled = !asleep && guest_->run(*owner.vm, owner.process, owner.vcpus);
  return called || handled;
}

void Rig::settle() {
  for (int turn = 0; turn < kMaxSettling; ++turn) {
    bool did = false;
    for (Owner& owner : owners_) did |= run_owner(owner);
    if (!did) return;
  }
}

}  // namespace vcpr::whole_vm
