#include "properties/machine/kvm/vcpu.hpp"

#include "engine/os/abi.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/kvm/limits.hpp"
#include "properties/machine/kvm/vm.hpp"

namespace vcpr::machine {

using os::Errno;
namespace request = os::abi::request;

namespace {

class VcpuFile final : public FileObject {
 public:
  explicit VcpuFile(Vcpu& of) : vcpu(of) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  void released(Machine::Impl& machine, Description& file) override;

  Vcpu& vcpu;
};

os::Result<int> get_lapic(Context& context, const Vcpu& vcpu, void* argument) {
  if (vcpu.vm.irqchip == Irqchip::none) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_get_lapic_enomem)) return std::unexpected(Errno::enomem);
  const os::abi::kvm_lapic_state state = vcpu.lapic.state();
  if (auto done = copy_out(context, argument, state); !done) return std::unexpected(done.error());
  return 0;
}

os::Result<int> set_lapic(Context& context, Vcpu& vcpu, const void* argument) {
  if (vcpu.vm.irqchip == Irqchip::none) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_set_lapic_enomem)) return std::unexpected(Errno::enomem);
  const auto state = copy_in<os::abi::kvm_lapic_state>(context, argument);
  if (!state) return std::unexpected(state.error());
  vcpu.lapic.set_state(*state);
  return 0;
}

/// kvm_vcpu_ioctl
os::Result<int> VcpuFile::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  if (auto allowed = check_mm(context, vcpu.vm); !allowed) return std::unexpected(allowed.error());
  switch (static_cast<std::uint32_t>(request)) {
    case request::kvm_get_lapic:
      return get_lapic(context, vcpu, argument);
    case request::kvm_set_lapic:
      return set_lapic(context, vcpu, argument);
    default:
      return std::unexpected(Errno::einval);
  }
}

void VcpuFile::released(Machine::Impl& machine, Description& file) {
  release(vcpu.vm);
  file.object = nullptr;
  machine.arena.destroy(this);
}

}  // namespace

Vcpu* find_vcpu(const KvmVm& vm, std::uint32_t id) {
  Vcpu* each = vm.vcpus;
  while (each != nullptr && each->id != id) each = each->next;
  return each;
}

os::Result<int> create_vcpu(Context& context, KvmVm& vm, std::uint64_t id) {
  Machine::Impl& machine = context.machine;
  if (id >= kMaxVcpuIds || vm.vcpu_count >= kMaxVcpus) return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::ioctl_create_vcpu_enomem) || !machine.arena.has_room_for(sizeof(Vcpu)))
    return std::unexpected(Errno::enomem);
  const auto number = static_cast<std::uint32_t>(id);
  if (find_vcpu(vm, number) != nullptr) return std::unexpected(Errno::eexist);
  if (context.fires(FaultPoint::ioctl_create_vcpu_emfile) || !context.has_free_number())
    return std::unexpected(Errno::emfile);
  Vcpu** link = &vm.vcpus;
  while (*link != nullptr) link = &(*link)->next;
  *link = machine.arena.make<Vcpu>(vm, number);
  ++vm.vcpu_count;
  acquire(vm);
  Description& file = make_description(machine, FileKind::anonymous, os::abi::o_rdwr);
  file.object = machine.arena.make<VcpuFile>(**link);
  file.link = keep_text(machine.arena, "anon_inode:kvm-vcpu:" + std::to_string(number));
  return context.install(file, true);
}

}  // namespace vcpr::machine
