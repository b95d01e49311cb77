#include "engine/kvm/vm.hpp"

#include <utility>

#include "engine/os/abi.hpp"

namespace vcpr::kvm {

namespace abi = os::abi;
namespace request = os::abi::request;
using os::Errno;

namespace {

struct Capability {
  std::uint32_t number;
  std::string_view name;
};

constexpr Capability kNeeded[] = {
    {abi::kvm_cap_user_memory, "KVM_CAP_USER_MEMORY"},       {abi::kvm_cap_irqchip, "KVM_CAP_IRQCHIP"},
    {abi::kvm_cap_irq_routing, "KVM_CAP_IRQ_ROUTING"},       {abi::kvm_cap_irqfd, "KVM_CAP_IRQFD"},
    {abi::kvm_cap_irqfd_resample, "KVM_CAP_IRQFD_RESAMPLE"}, {abi::kvm_cap_signal_msi, "KVM_CAP_SIGNAL_MSI"},
    {abi::kvm_cap_device_ctrl, "KVM_CAP_DEVICE_CTRL"},
};

/// An integer where an ioctl takes a pointer.
void* by_value(std::uint64_t value) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(value));
}

Expected<void> without_value(Expected<int>&& result) {
  if (!result) return std::unexpected(std::move(result.error()));
  return {};
}

}  // namespace

Vm::Vm(Vm&& other) noexcept = default;

Expected<int> Vm::request(const os::Fd& fd, std::uint64_t request, void* argument, std::string_view what) {
  if (!fd) return refuse(ErrorCode::bad_state, {what, ": KVM is closed"});
  auto result = kernel_->ioctl(fd.number(), request, argument);
  if (!result) return refuse_os(result.error(), {what});
  return *result;
}

Expected<void> Vm::open_system() {
  auto opened = kernel_->open("/dev/kvm", abi::o_rdwr | abi::o_cloexec);
  if (!opened) return refuse_os(opened.error(), {"open of /dev/kvm"});
  system_ = os::Fd(*kernel_, *opened);
  auto version = request(system_, request::kvm_get_api_version, nullptr, "KVM_GET_API_VERSION");
  if (!version) return std::unexpected(std::move(version.error()));
  if (*version != static_cast<int>(abi::kvm_api_version)) {
    return refuse(ErrorCode::bad_version, {"/dev/kvm: its API has version ", Decimal(*version)});
  }
  for (const Capability& needed : kNeeded) {
    auto has = request(system_, request::kvm_check_extension, by_value(needed.number), "KVM_CHECK_EXTENSION");
    if (!has) return std::unexpected(std::move(has.error()));
    if (*has == 0) return refuse(ErrorCode::bad_version, {"/dev/kvm: has no ", needed.name});
  }
  return {};
}

Expected<void> Vm::make_vm(std::uint32_t vcpus) {
  auto made = request(system_, request::kvm_create_vm, nullptr, "KVM_CREATE_VM");
  if (!made) return std::unexpected(std::move(made.error()));
  vm_ = os::Fd(*kernel_, *made);
  auto chips = request(vm_, request::kvm_create_irqchip, nullptr, "KVM_CREATE_IRQCHIP");
  if (!chips) return std::unexpected(std::move(chips.error()));
  vcpus_.reserve(vcpus);
  for (std::uint32_t id = 0; id < vcpus; ++id) {
    auto vcpu = request(vm_, request::kvm_create_vcpu, by_value(id), "KVM_CREATE_VCPU");
    if (!vcpu) return std::unexpected(std::move(vcpu.error()));
    vcpus_.emplace_back(*kernel_, *vcpu);
  }
  return {};
}

Expected<Vm> Vm::create(os::Kernel& kernel, std::uint32_t vcpus) {
  if (vcpus == 0 || vcpus > kMaxVcpus) {
    return refuse(ErrorCode::bad_value, {"a VM of ", Decimal(vcpus), " vCPUs: there can be 1 to ", Decimal(kMaxVcpus)});
  }
  Vm vm(kernel);
  if (auto done = vm.open_system(); !done) return std::unexpected(std::move(done.error()));
  if (auto done = vm.make_vm(vcpus); !done) return std::unexpected(std::move(done.error()));
  return vm;
}

void Vm::close() {
  for (os::Fd& vcpu : vcpus_) vcpu.reset();
  vm_.reset();
  system_.reset();
  vfio_.reset();
}

Expected<void> Vm::set_slot(std::uint32_t slot, std::uint64_t address, std::uint64_t size, os::UserAddr host,
                            bool read_only) {
  abi::kvm_userspace_memory_region region{.slot = slot,
                                          .flags = read_only ? abi::kvm_mem_readonly : 0,
                                          .guest_phys_addr = address,
                                          .memory_size = size,
                                          .userspace_addr = host.value()};
  return without_value(request(vm_, request::kvm_set_user_memory_region, &region, "KVM_SET_USER_MEMORY_REGION"));
}

Expected<void> Vm::send_message(const MsiMessage& message) {
  abi::kvm_msi msi{.address_lo = static_cast<std::uint32_t>(message.address),
                   .address_hi = static_cast<std::uint32_t>(message.address >> 32),
                   .data = message.data};
  auto sent = request(vm_, request::kvm_signal_msi, &msi, "KVM_SIGNAL_MSI");
  // The -1 of "no destination", which leaves the kernel as an errno (kvm_send_userspace_msi).
  if (!sent && sent.error().os == Errno::eperm) return {};
  return without_value(std::move(sent));
}

Expected<void> Vm::set_line(std::uint32_t gsi, bool up) {
  abi::kvm_irq_level line{};
  line.irq = gsi;
  line.level = up ? 1 : 0;
  return without_value(request(vm_, request::kvm_irq_line, &line, "KVM_IRQ_LINE"));
}

Expected<std::uint32_t> Vm::add_message_route(const MsiMessage& message) {
  if (!is_open()) return refuse(ErrorCode::bad_state, {"a message route: KVM is closed"});
  return routes_.add(message);
}

Expected<void> Vm::commit_routes() {
  if (!is_open()) return refuse(ErrorCode::bad_state, {"KVM_SET_GSI_ROUTING: KVM is closed"});
  if (!routes_.is_changed()) return {};
  std::vector<std::byte> table = routes_.encode();
  auto done = request(vm_, request::kvm_set_gsi_routing, table.data(), "KVM_SET_GSI_ROUTING");
  if (done) routes_.committed();
  return without_value(std::move(done));
}

Expected<void> Vm::set_irqfd(abi::kvm_irqfd irqfd, std::string_view what) {
  auto done = request(vm_, request::kvm_irqfd, &irqfd, what);
  if (!done) {
    done.error().text += " of descriptor ";
    done.error().text += Decimal(irqfd.fd);
    done.error().text += " to GSI ";
    done.error().text += Decimal(irqfd.gsi);
  }
  return without_value(std::move(done));
}

Expected<void> Vm::assign_irqfd(int eventfd, std::uint32_t gsi, int resample) {
  abi::kvm_irqfd irqfd{.fd = static_cast<std::uint32_t>(eventfd), .gsi = gsi};
  if (resample >= 0) {
    irqfd.flags = abi::kvm_irqfd_flag_resample;
    irqfd.resamplefd = static_cast<std::uint32_t>(resample);
  }
  return set_irqfd(irqfd, "KVM_IRQFD");
}

Expected<void> Vm::deassign_irqfd(int eventfd, std::uint32_t gsi) {
  return set_irqfd({.fd = static_cast<std::uint32_t>(eventfd), .gsi = gsi, .flags = abi::kvm_irqfd_flag_deassign},
                   "KVM_IRQFD DEASSIGN");
}

Expected<void> Vm::make_vfio_device() {
  if (vfio_) return {};
  abi::kvm_create_device device{.type = abi::kvm_dev_type_vfio};
  auto made = request(vm_, request::kvm_create_device, &device, "KVM_CREATE_DEVICE of the VFIO device");
  if (made) vfio_ = os::Fd(*kernel_, static_cast<int>(device.fd));
  return without_value(std::move(made));
}

Expected<void> Vm::set_vfio_file(std::uint64_t change, std::int32_t file, std::string_view what) {
  abi::kvm_device_attr attribute{
      .group = abi::kvm_dev_vfio_file, .attr = change, .addr = reinterpret_cast<std::uintptr_t>(&file)};
  return without_value(request(vfio_, request::kvm_set_device_attr, &attribute, what));
}

Expected<void> Vm::add_vfio_file(int fd) {
  if (auto done = make_vfio_device(); !done) return done;
  return set_vfio_file(abi::kvm_dev_vfio_file_add, fd, "KVM_DEV_VFIO_FILE_ADD");
}

Expected<void> Vm::remove_vfio_file(int fd) {
  if (is_open() && !vfio_) {
    return refuse(ErrorCode::missing_key, {"KVM_DEV_VFIO_FILE_DEL: nothing was ever added"});
  }
  return set_vfio_file(abi::kvm_dev_vfio_file_del, fd, "KVM_DEV_VFIO_FILE_DEL");
}

Expected<void> Vm::get_lapic(std::uint32_t vcpu, abi::kvm_lapic_state& page) {
  return without_value(request(vcpus_[vcpu], request::kvm_get_lapic, &page, "KVM_GET_LAPIC"));
}

Expected<void> Vm::set_lapic(std::uint32_t vcpu, abi::kvm_lapic_state& page) {
  return without_value(request(vcpus_[vcpu], request::kvm_set_lapic, &page, "KVM_SET_LAPIC"));
}

Expected<void> Vm::get_irqchip(abi::kvm_irqchip& chip) {
  return without_value(request(vm_, request::kvm_get_irqchip, &chip, "KVM_GET_IRQCHIP"));
}

Expected<void> Vm::set_irqchip(abi::kvm_irqchip& chip) {
  return without_value(request(vm_, request::kvm_set_irqchip, &chip, "KVM_SET_IRQCHIP"));
}

}  // namespace vcpr::kvm
