#include "properties/whole_vm/rig.hpp"

#include <array>

namespace vcpr::whole_vm {

namespace {

constexpr std::array<std::string_view, 4> kAddresses{"0000:00:05.0", "0000:00:06.0", "0000:00:07.0", "0000:00:08.0"};
/// Turns of main loops and guest after which it is not going to settle.
constexpr int kMaxSettling = 1000;

vm::PciConfig pci_config(const DeviceShape& shape, std::uint32_t number) {
  vm::PciConfig config;
  config.device.name = kAddresses[number];
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

Rig::Rig(const Shape& shape) : shape_(shape), machine_(std::make_unique<machine::Machine>(shape.switches)) {
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i)
    machine_->plug({shape_.devices[i].model, i + 1, kAddresses[i]});
  guest_ = std::make_unique<Guest>(*machine_, shape_);
}

Rig::~Rig() {
  machine_->set_schedule(nullptr);
}

vm::Config Rig::config() const {
  vm::Config config;
  config.kvm = shape_.kvm;
  for (std::uint32_t i = 0; i < shape_.ram_blocks; ++i)
    config.ram.push_back({.name = "ram" + std::to_string(i), .size = kRamBytes, .address = i * kRamBytes * 2});
  for (std::uint32_t i = 0; i < shape_.devices.size(); ++i) config.devices.push_back(pci_config(shape_.devices[i], i));
  return config;
}

Expected<void> Rig::boot() {
  owner_ = &owners_.emplace_back(*machine_, machine_->spawn(), *guest_);
  auto vm = vm::VirtualMachine::create(owner_->kernel, owner_->embedder(), config());
  if (!vm) return std::unexpected(std::move(vm.error()));
  owner_->vm = std::move(*vm);
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

machine::FaultPoint Rig::before(const machine::CallSite&) {
  machine::FaultPoint fault = machine::FaultPoint::none;
  if (attempt_ == nullptr) return fault;
  while (next_event_ < attempt_->events.size() && attempt_->events[next_event_].at < call()) {
    const Event& event = attempt_->events[next_event_++];
    if (event.action) event.action(*this);
    if (event.fault != machine::FaultPoint::none) fault = event.fault;
  }
  return fault;
}

bool Rig::run_owner(Owner& owner) {
  if (!owner.process.alive() || !owner.vm) return false;
  const std::uint64_t before = machine_->calls();
  (void)owner.loop.turn({machine_->now()});
  const bool called = machine_->calls() - before > 1;  // more than the poll itself
  const bool handled = guest_->run(*owner.vm, owner.process, owner.vcpus);
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
