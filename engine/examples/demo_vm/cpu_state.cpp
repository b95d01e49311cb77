#include "engine/examples/demo_vm/cpu_state.hpp"

#include <bit>

#include "engine/examples/demo_vm/guest.hpp"

namespace vcpr::demo {

namespace {

Expected<void> request(os::Kernel& kernel, int vcpu, std::uint64_t number, void* argument, std::string_view what) {
  if (auto done = kernel.ioctl(vcpu, number, argument); !done) return refuse_os(done.error(), {what, " of the vCPU"});
  return {};
}

Expected<void> tsc_offset(os::Kernel& kernel, int vcpu, std::uint64_t number, std::int64_t& offset) {
  kvm_device_attr attribute{.flags = 0,
                            .group = KVM_VCPU_TSC_CTRL,
                            .attr = KVM_VCPU_TSC_OFFSET,
                            .addr = std::bit_cast<std::uintptr_t>(&offset)};
  return request(kernel, vcpu, number, &attribute, "TSC offset");
}

template <class Kvm>
Expected<void> get(os::Kernel& kernel, int vcpu, std::uint64_t number, std::array<std::byte, sizeof(Kvm)>& bytes,
                   std::string_view what) {
  Kvm value{};
  auto done = request(kernel, vcpu, number, &value, what);
  if (done) bytes = std::bit_cast<std::array<std::byte, sizeof(Kvm)>>(value);
  return done;
}

template <class Kvm>
Expected<void> set(os::Kernel& kernel, int vcpu, std::uint64_t number, const std::array<std::byte, sizeof(Kvm)>& bytes,
                   std::string_view what) {
  auto value = std::bit_cast<Kvm>(bytes);
  return request(kernel, vcpu, number, &value, what);
}

kvm_segment flat(std::uint16_t selector, std::uint8_t type) {
  return {.base = 0,
          .limit = 0xffff'ffff,
          .selector = selector,
          .type = type,
          .present = 1,
          .dpl = 0,
          .db = 1,
          .s = 1,
          .l = 0,
          .g = 1,
          .avl = 0,
          .unusable = 0,
          .padding = 0};
}

}  // namespace

Expected<void> fetch(os::Kernel& kernel, int vcpu, CpuState& state) {
  state.bytes = kCpuStateBytes;
  kvm_mp_state run_state{};
  auto fetched = get<kvm_regs>(kernel, vcpu, KVM_GET_REGS, state.registers, "registers");
  if (fetched) fetched = get<kvm_sregs>(kernel, vcpu, KVM_GET_SREGS, state.segments, "segments");
  if (fetched) fetched = get<kvm_vcpu_events>(kernel, vcpu, KVM_GET_VCPU_EVENTS, state.events, "events");
  if (fetched) fetched = request(kernel, vcpu, KVM_GET_MP_STATE, &run_state, "run state");
  if (fetched) fetched = tsc_offset(kernel, vcpu, KVM_GET_DEVICE_ATTR, state.tsc_offset);
  state.run_state = run_state.mp_state;
  return fetched;
}

Expected<void> restore(os::Kernel& kernel, int vcpu, const CpuState& state) {
  kvm_mp_state run_state{.mp_state = state.run_state};
  std::int64_t offset = state.tsc_offset;
  auto restored = set<kvm_regs>(kernel, vcpu, KVM_SET_REGS, state.registers, "registers");
  if (restored) restored = set<kvm_sregs>(kernel, vcpu, KVM_SET_SREGS, state.segments, "segments");
  if (restored) restored = set<kvm_vcpu_events>(kernel, vcpu, KVM_SET_VCPU_EVENTS, state.events, "events");
  if (restored) restored = request(kernel, vcpu, KVM_SET_MP_STATE, &run_state, "run state");
  if (restored) restored = tsc_offset(kernel, vcpu, KVM_SET_DEVICE_ATTR, offset);
  return restored;
}

Expected<void> set_features(os::Kernel& kernel, int vcpu) {
  constexpr std::uint32_t kTsc = 1U << 4;
  constexpr std::uint32_t kApic = 1U << 9;
  // kvm_cpuid2 with one entry. Its size is part of the request, and in C++ another than in C: 8 bytes.
  constexpr std::uint64_t kSetCpuid2 = _IOW(KVMIO, 0x90, std::uint64_t);
  struct {
    std::uint32_t count = 1;
    std::uint32_t padding = 0;
    kvm_cpuid_entry2 leaf{};
  } cpuid;
  cpuid.leaf.function = 1;
  cpuid.leaf.edx = kTsc | kApic;
  return request(kernel, vcpu, kSetCpuid2, &cpuid, "CPUID");
}

Expected<void> start_flat(os::Kernel& kernel, int vcpu) {
  constexpr std::uint16_t kCodeSelector = 8;
  constexpr std::uint16_t kDataSelector = 16;
  constexpr std::uint8_t kCode = 11;
  constexpr std::uint8_t kData = 3;
  const GuestMap map = guest_map();
  kvm_sregs segments{};
  if (auto got = request(kernel, vcpu, KVM_GET_SREGS, &segments, "segments"); !got) return got;
  segments.cs = flat(kCodeSelector, kCode);
  segments.ds = segments.es = segments.fs = segments.gs = segments.ss = flat(kDataSelector, kData);
  segments.gdt = {.base = map.gdt, .limit = 3 * 8 - 1, .padding = {}};
  segments.idt = {.base = map.idt, .limit = 256 * 8 - 1, .padding = {}};
  segments.cr0 |= 1;
  if (auto set = request(kernel, vcpu, KVM_SET_SREGS, &segments, "segments"); !set) return set;
  kvm_regs registers{};
  registers.rip = map.entry;
  registers.rsp = map.stack;
  registers.rflags = 2;
  return request(kernel, vcpu, KVM_SET_REGS, &registers, "registers");
}

}  // namespace vcpr::demo
