#include "engine/examples/demo_vm/demo_vm.hpp"

#include <bit>
#include <cstring>

#include "engine/examples/demo_vm/driver.hpp"
#include "engine/examples/demo_vm/guest.hpp"
#include "engine/examples/demo_vm/host_device.hpp"

namespace vcpr::demo {

namespace {

constexpr const char* kRam = "ram0";

Expected<vm::Config> configure(const Options& options) {
  vm::Config config{.machine = "vcpr-demo", .kvm = options.kvm, .vcpus = 1, .ram = {}, .devices = {}};
  config.ram.push_back({.name = kRam, .size = options.ram_bytes, .address = 0});
  for (std::size_t i = 0; i < options.devices.size(); ++i) {
    auto host = find_host_device(options.devices[i].address, options.iommufd);
    if (!host) return std::unexpected(host.error());
    const std::string path = "0000:00:0" + std::to_string(i + 1) + ".0";
    config.devices.push_back({.device = std::move(*host), .options = {.path = path}});
  }
  return config;
}

}  // namespace

DemoVm::DemoVm(os::Kernel& kernel, lifecycle::EventLoop& loop, const Options& options, Steps& steps)
    : kernel_(kernel),
      options_(options),
      steps_(steps),
      outermost_(steps),
      vcpu_(kernel, loop),
      embedder_{.vcpus = *this, .loop = loop, .events = *this, .interrupts = this} {}

DemoVm::~DemoVm() {
  vcpu_.detach();
  vm_.reset();
}

Expected<std::unique_ptr<DemoVm>> DemoVm::create(os::Kernel& kernel, lifecycle::EventLoop& loop, const Options& options,
                                                 Steps& steps, std::optional<vm::Arrival> arrival) {
  std::unique_ptr<DemoVm> demo(new DemoVm(kernel, loop, options, steps));
  if (auto built = demo->build(std::move(arrival)); !built) return std::unexpected(std::move(built.error()));
  return demo;
}

Expected<void> DemoVm::build(std::optional<vm::Arrival> arrival) {
  const bool is_fresh = !arrival;
  auto config = configure(options_);
  if (!config) return std::unexpected(std::move(config.error()));
  auto vm = vm::VirtualMachine::create(kernel_, embedder_, *config, std::move(arrival));
  if (!vm) return std::unexpected(std::move(vm.error()));
  vm_ = std::move(*vm);
  for (const DeviceOptions& each : options_.devices) bars_.add(*vm_->device(each.address));
  if (vm_->kvm() != nullptr) {
    const int vcpu = vm_->kvm()->vcpu_fd(0);
    cpu_.bytes = kCpuStateBytes;
    if (auto set = set_features(kernel_, vcpu); !set) return set;
    if (auto added = vm_->life().sections.add("demo-cpu", 0, kCpuState, cpu_); !added) return added;
    if (auto attached = vcpu_.attach(vcpu, bars_); !attached) return attached;
    if (auto khz = kernel_.ioctl(vcpu, KVM_GET_TSC_KHZ, nullptr)) tsc_khz_ = static_cast<std::uint64_t>(*khz);
  }
  vm_->life().participants.add(*this, lifecycle::Rank::interrupt_controller, lifecycle::kTransferAndExec);
  vm_->life().participants.add(outermost_, lifecycle::Rank::devices, lifecycle::kTransferAndExec);
  return is_fresh ? set_up_guest() : Expected<void>{};
}

Expected<void> DemoVm::set_up_guest() {
  load_guest(memory());
  for (std::size_t i = 0; i < options_.devices.size(); ++i) {
    const DeviceOptions& device = options_.devices[i];
    if (auto done = program(*vm_->device(device.address), device, i, memory()); !done) return done;
  }
  return vm_->kvm() == nullptr ? Expected<void>{} : start_flat(kernel_, vm_->kvm()->vcpu_fd(0));
}

std::span<std::byte> DemoVm::memory() {
  const memory::RamBlock& ram = *vm_->ram().find(kRam);
  return {std::bit_cast<std::byte*>(ram.host.value()), ram.size};
}

std::uint32_t DemoVm::counter(std::uint32_t vector) {
  std::uint32_t count = 0;
  std::memcpy(&count, memory().subspan(guest_map().counters + vector * 4, 4).data(), 4);
  return count;
}

std::optional<std::string> DemoVm::trouble() {
  if (auto error = vcpu_.trouble()) return error->message();
  return event_;
}

Expected<void> DemoVm::let_go(lifecycle::Mode mode) {
  auto fetched = vm_->kvm() == nullptr ? Expected<void>{} : fetch(kernel_, vm_->kvm()->vcpu_fd(0), cpu_);
  steps_.reach("let_go");
  if (fetched && mode == lifecycle::Mode::cpr_exec) steps_.about_to_exec();
  return fetched;
}

Expected<void> DemoVm::take_over() {
  auto restored = vm_->kvm() == nullptr ? Expected<void>{} : restore(kernel_, vm_->kvm()->vcpu_fd(0), cpu_);
  steps_.reach("taking_over");
  return restored;
}

Expected<void> DemoVm::pause() {
  steps_.reach("pausing");
  auto paused = vcpu_.pause();
  steps_.reach("paused");
  return paused;
}

Expected<void> DemoVm::resume() {
  steps_.reach("resuming");
  return vcpu_.resume();
}

Expected<void> DemoVm::send_message(const kvm::MsiMessage& message) {
  count(message.data & 0xff);
  return {};
}

Expected<void> DemoVm::set_line(std::uint32_t gsi, bool up) {
  for (std::size_t i = 0; up && i < options_.devices.size(); ++i)
    if (gsi == gsi_of(i)) count(first_vector(i));
  return {};
}

void DemoVm::count(std::uint32_t vector) {
  const std::uint32_t count = counter(vector) + 1;
  std::memcpy(memory().subspan(guest_map().counters + vector * 4, 4).data(), &count, 4);
}

}  // namespace vcpr::demo
