#include "properties/machine/kvm/vm.hpp"

#include <utility>

#include "engine/os/abi.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/kvm/irqfd.hpp"
#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/kvm/vcpu.hpp"
#include "properties/machine/kvm/vfio_link.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;
namespace request = os::abi::request;

namespace {

constexpr std::uint32_t kApicApiFlags = abi::kvm_x2apic_api_use_32bit_ids | abi::kvm_x2apic_api_disable_broadcast_quirk;

class VmFile final : public FileObject {
 public:
  explicit VmFile(KvmVm& of) : vm(of) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  void released(Machine::Impl& machine, Description& file) override;

  KvmVm& vm;
};

/// KVM_CREATE_IRQCHIP
os::Result<int> create_irqchip(KvmVm& vm) {
  if (vm.irqchip != Irqchip::none) return std::unexpected(Errno::eexist);
  if (vm.vcpu_count != 0) return std::unexpected(Errno::einval);
  set_default_routes(vm);
  vm.irqchip = Irqchip::full;
  return 0;
}

/// KVM_CAP_SPLIT_IRQCHIP; `pins`: of the caller's own IOAPIC
os::Result<int> split_irqchip(KvmVm& vm, std::uint64_t pins) {
  if (pins > kMaxRoutes) return std::unexpected(Errno::einval);
  if (vm.irqchip != Irqchip::none || vm.vcpu_count != 0) return std::unexpected(Errno::eexist);
  vm.irqchip = Irqchip::split;
  return 0;
}

/// kvm_vm_ioctl_enable_cap
os::Result<int> enable_cap(Context& context, KvmVm& vm, const void* argument) {
  const auto cap = copy_in<abi::kvm_enable_cap>(context, argument);
  if (!cap) return std::unexpected(cap.error());
  if (cap->flags != 0) return std::unexpected(Errno::einval);
  if (cap->cap == abi::kvm_cap_split_irqchip) return split_irqchip(vm, cap->args[0]);
  if (cap->cap != abi::kvm_cap_x2apic_api || (cap->args[0] & ~std::uint64_t{kApicApiFlags}) != 0)
    return std::unexpected(Errno::einval);
  if ((cap->args[0] & abi::kvm_x2apic_api_use_32bit_ids) != 0) vm.wide_apic_ids = true;
  return 0;
}

/// KVM_SET_USER_MEMORY_REGION
os::Result<int> set_memory_region(Context& context, KvmVm& vm, const void* argument) {
  const auto region = copy_in<abi::kvm_userspace_memory_region>(context, argument);
  if (!region) return std::unexpected(region.error());
  if (auto set = vm.slots.set(vm.machine.arena, *region); !set) return std::unexpected(set.error());
  return 0;
}

/// KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS (kvm_vm_ioctl_irq_line)
os::Result<int> set_line(Context& context, KvmVm& vm, void* argument, bool wants_status) {
  auto line = copy_in<abi::kvm_irq_level>(context, argument);
  if (!line) return std::unexpected(line.error());
  if (vm.irqchip == Irqchip::none) return std::unexpected(Errno::enxio);
  const std::uint32_t gsi = line->irq;
  const int taken = set_irq(vm, LineSource::user, gsi, line->level != 0);
  if (line->level != 0)
    vm.machine.injections.append(vm.machine.arena, {vm.machine.current_call, vm.description, 0, gsi, taken});
  if (!wants_status) return 0;
  line->status = taken;
  if (auto done = copy_out(context, argument, *line); !done) return std::unexpected(done.error());
  return 0;
}

/// kvm_send_userspace_msi: the result is how many vCPUs took it.
os::Result<int> signal_msi(Context& context, KvmVm& vm, const void* argument) {
  const auto msi = copy_in<abi::kvm_msi>(context, argument);
  if (!msi) return std::unexpected(msi.error());
  if (vm.irqchip == Irqchip::none || (msi->flags & ~abi::kvm_msi_valid_devid) != 0)
    return std::unexpected(Errno::einval);
  const int taken = send_msi(vm, msi->address_lo, msi->address_hi, msi->data);
  vm.machine.injections.append(vm.machine.arena, {vm.machine.current_call, vm.description, 0, kNoGsi, taken});
  if (taken < 0) return std::unexpected(static_cast<Errno>(-taken));  // -1 reads as EPERM
  return taken;
}

/// kvm_vm_ioctl_get_irqchip
os::Result<int> get_irqchip(Context& context, const KvmVm& vm, void* argument) {
  if (context.fires(FaultPoint::ioctl_get_irqchip_enomem)) return std::unexpected(Errno::enomem);
  auto chip = copy_in<abi::kvm_irqchip>(context, argument);
  if (!chip) return std::unexpected(chip.error());
  if (vm.irqchip != Irqchip::full) return std::unexpected(Errno::enxio);
  if (chip->chip_id > abi::kvm_irqchip_ioapic) return std::unexpected(Errno::einval);
  if (chip->chip_id == abi::kvm_irqchip_ioapic)
    chip->chip.ioapic = get_ioapic(vm);
  else
    chip->chip.pic = vm.pic.chips[chip->chip_id];
  if (auto done = copy_out(context, argument, *chip); !done) return std::unexpected(done.error());
  return 0;
}

/// kvm_vm_ioctl_set_irqchip
os::Result<int> set_irqchip(Context& context, KvmVm& vm, const void* argument) {
  if (context.fires(FaultPoint::ioctl_set_irqchip_enomem)) return std::unexpected(Errno::enomem);
  const auto chip = copy_in<abi::kvm_irqchip>(context, argument);
  if (!chip) return std::unexpected(chip.error());
  if (vm.irqchip != Irqchip::full) return std::unexpected(Errno::enxio);
  if (chip->chip_id > abi::kvm_irqchip_ioapic) return std::unexpected(Errno::einval);
  if (chip->chip_id == abi::kvm_irqchip_ioapic)
    set_ioapic(vm, chip->chip.ioapic);
  else
    vm.pic.chips[chip->chip_id] = chip->chip.pic;
  update_pic(vm);
  return 0;
}

/// What takes its argument by value.
bool is_by_value(std::uint32_t request) {
  return request == request::kvm_create_vcpu || request == request::kvm_check_extension;
}

/// kvm_vm_ioctl, after its check of the mm
os::Result<int> VmFile::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  if (auto allowed = check_mm(context, vm); !allowed) return std::unexpected(allowed.error());
  const std::uint64_t value = reinterpret_cast<std::uintptr_t>(argument);
  const auto command = static_cast<std::uint32_t>(request);
  if (is_by_value(command)) context.machine.trace.word(value);
  switch (command) {
    case request::kvm_create_vcpu:
      return create_vcpu(context, vm, value);
    case request::kvm_check_extension:
      return check_extension(value);
    case request::kvm_enable_cap:
      return enable_cap(context, vm, argument);
    case request::kvm_set_user_memory_region:
      return set_memory_region(context, vm, argument);
    case request::kvm_create_irqchip:
      return create_irqchip(vm);
    case request::kvm_set_gsi_routing:
      return set_gsi_routing(context, vm, argument);
    case request::kvm_irqfd:
      return do_irqfd(context, vm, argument);
    case request::kvm_signal_msi:
      return signal_msi(context, vm, argument);
    case request::kvm_irq_line:
    case request::kvm_irq_line_status:
      return set_line(context, vm, argument, command == request::kvm_irq_line_status);
    case request::kvm_get_irqchip:
      return get_irqchip(context, vm, argument);
    case request::kvm_set_irqchip:
      return set_irqchip(context, vm, argument);
    case request::kvm_create_device:
      return create_kvm_device(context, vm, argument);
    default:
      return std::unexpected(Errno::enotty);
  }
}

/// kvm_vm_release
void VmFile::released(Machine::Impl& machine, Description& file) {
  remove_irqfds(vm);
  release(vm);
  file.object = nullptr;
  machine.arena.destroy(this);
}

}  // namespace

void acquire(KvmVm& vm) {
  ++vm.references;
}

void release(KvmVm& vm) {
  if (--vm.references != 0) return;
  Machine::Impl& machine = vm.machine;
  KvmVm** link = &machine.vms;
  while (*link != &vm) link = &(*link)->next;
  *link = vm.next;
  while (vm.vcpus != nullptr) machine.arena.destroy(std::exchange(vm.vcpus, vm.vcpus->next));
  vm.slots.clear(machine.arena);
  forget_routes(vm);
  machine.arena.destroy(&vm);
}

os::Result<void> check_mm(Context& context, const KvmVm& vm) {
  if (vm.mm != Mm::of(context.process)) return std::unexpected(Errno::eio);
  return {};
}

KvmVm* find_vm(Machine::Impl& machine, std::uint32_t description) {
  KvmVm* each = machine.vms;
  while (each != nullptr && each->description != description) each = each->next;
  return each;
}

os::Result<int> create_vm(Context& context, std::uint64_t type) {
  Machine::Impl& machine = context.machine;
  if (context.fires(FaultPoint::ioctl_create_vm_emfile) || !context.has_free_number())
    return std::unexpected(Errno::emfile);
  if (type != 0) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_create_vm_enomem) || !machine.arena.has_room_for(sizeof(KvmVm)))
    return std::unexpected(Errno::enomem);
  KvmVm& vm = *machine.arena.make<KvmVm>(machine, Mm::of(context.process));
  acquire(vm);
  KvmVm** link = &machine.vms;
  while (*link != nullptr) link = &(*link)->next;
  *link = &vm;
  Description& file = make_description(machine, FileKind::anonymous, os::abi::o_rdwr);
  file.object = machine.arena.make<VmFile>(vm);
  file.link = "anon_inode:kvm-vm";
  vm.description = file.id;
  return context.install(file, true);
}

void hash_vm(Hasher& hasher, const KvmVm& vm) {
  hasher.word(std::uint64_t{vm.description} << 32 | vm.references);
  hasher.bytes(std::as_bytes(std::span(vm.routes.routes, vm.routes.count)));
  hasher.bytes(std::as_bytes(std::span(&vm.ioapic.state, 1)));
  hasher.bytes(std::as_bytes(std::span(vm.pic.chips)));
  for (const Vcpu* each = vm.vcpus; each != nullptr; each = each->next) {
    const abi::kvm_lapic_state state = each->lapic.state();
    hasher.bytes(std::as_bytes(std::span(state.regs)));
  }
  for (const MemorySlot* each : vm.slots.by_number()) hasher.bytes(std::as_bytes(std::span(&each->region, 1)));
}

int check_extension(std::uint64_t capability) {
  switch (capability) {
    case abi::kvm_cap_irqchip:
    case abi::kvm_cap_user_memory:
    case abi::kvm_cap_irqfd:
    case abi::kvm_cap_irqfd_resample:
    case abi::kvm_cap_signal_msi:
    case abi::kvm_cap_device_ctrl:
    case abi::kvm_cap_split_irqchip:
    case abi::kvm_cap_readonly_mem:
      return 1;
    case abi::kvm_cap_irq_routing:
      return kMaxRoutes;
    case abi::kvm_cap_nr_memslots:
      return kUserMemorySlots;
    case abi::kvm_cap_max_vcpus:
      return kMaxVcpus;
    case abi::kvm_cap_max_vcpu_id:
      return kMaxVcpuIds;
    case abi::kvm_cap_multi_address_space:
      return kAddressSpaces;
    case abi::kvm_cap_x2apic_api:
      return kApicApiFlags;
    default:
      return 0;
  }
}

}  // namespace vcpr::machine
