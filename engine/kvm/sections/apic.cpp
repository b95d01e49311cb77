#include "engine/kvm/sections/apic.hpp"

#include <bit>
#include <cstring>
#include <span>

#include "engine/os/flag_names.hpp"

namespace vcpr::kvm {

namespace {

using Page = os::abi::kvm_lapic_state;

/// Numbers of registers: 16 bytes each (Intel SDM volume 3, table 11-1).
enum class Register : std::uint8_t {
  id = 0x02,
  task_priority = 0x08,
  arbitration_priority = 0x09,
  logical_destination = 0x0d,
  destination_format = 0x0e,
  spurious = 0x0f,
  in_service = 0x10,
  trigger_mode = 0x18,
  requested = 0x20,
  error_status = 0x28,
  lvt_cmci = 0x2f,
  command = 0x30,
  lvt = 0x32,
  initial_count = 0x38,
  divide_configuration = 0x3e,
};

constexpr std::uint32_t kMasked = 1 << 16;
constexpr std::uint32_t kFormatOnes = 0x0fffffff;  // of the destination format: read as ones
constexpr std::size_t kRegisterBytes = 16;

std::size_t offset_of(Register which, std::size_t index) {
  return (static_cast<std::size_t>(which) + index) * kRegisterBytes;
}

std::uint32_t get(const Page& page, Register which, std::size_t index = 0) {
  std::uint32_t value = 0;
  std::memcpy(&value, page.regs + offset_of(which, index), sizeof value);
  return value;
}

void get(const Page& page, Register first, std::span<std::uint32_t> values) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = get(page, first, i);
}

void set(Page& page, Register which, std::uint32_t value, std::size_t index = 0) {
  std::memcpy(page.regs + offset_of(which, index), &value, sizeof value);
}

void set(Page& page, Register first, std::span<const std::uint32_t> values) {
  for (std::size_t i = 0; i < values.size(); ++i) set(page, first, values[i], i);
}

/// Bits 0, 1 and 3 count 2, 4, ... 128, 1.
std::int32_t shift_of(std::uint32_t divide_configuration) {
  const std::uint32_t code = (divide_configuration & 3) | (divide_configuration >> 1 & 4);
  return static_cast<std::int32_t>((code + 1) & 7);
}

}  // namespace

void read_page(const Page& page, Apic& apic) {
  apic.id = static_cast<std::uint8_t>(get(page, Register::id) >> 24);
  apic.tpr = static_cast<std::uint8_t>(get(page, Register::task_priority));
  apic.arb_id = static_cast<std::uint8_t>(get(page, Register::arbitration_priority));
  apic.log_dest = static_cast<std::uint8_t>(get(page, Register::logical_destination) >> 24);
  apic.dest_mode = static_cast<std::uint8_t>(get(page, Register::destination_format) >> 28);
  apic.spurious_vec = get(page, Register::spurious);
  get(page, Register::in_service, apic.isr);
  get(page, Register::trigger_mode, apic.tmr);
  get(page, Register::requested, apic.irr);
  apic.esr = get(page, Register::error_status);
  get(page, Register::command, apic.icr);
  get(page, Register::lvt, apic.lvt);
  apic.initial_count = get(page, Register::initial_count);
  apic.divide_conf = get(page, Register::divide_configuration);
  apic.count_shift = shift_of(apic.divide_conf);
}

Page page_of(const Apic& apic) {
  Page page;
  set(page, Register::id, std::uint32_t{apic.id} << 24);
  set(page, Register::task_priority, apic.tpr);
  set(page, Register::arbitration_priority, apic.arb_id);
  set(page, Register::logical_destination, std::uint32_t{apic.log_dest} << 24);
  set(page, Register::destination_format, std::uint32_t{apic.dest_mode} << 28 | kFormatOnes);
  set(page, Register::spurious, apic.spurious_vec);
  set(page, Register::in_service, apic.isr);
  set(page, Register::trigger_mode, apic.tmr);
  set(page, Register::requested, apic.irr);
  set(page, Register::error_status, apic.esr);
  set(page, Register::lvt_cmci, kMasked);
  set(page, Register::command, apic.icr);
  set(page, Register::lvt, apic.lvt);
  set(page, Register::initial_count, apic.initial_count);
  set(page, Register::divide_configuration, apic.divide_conf);
  return page;
}

Expected<void> check(const Apic& apic, std::uint32_t vcpu) {
  if (apic.id != vcpu) {
    return refuse(ErrorCode::bad_value, {"apic instance ", Decimal(vcpu), ": id is ", Decimal(std::uint32_t{apic.id}),
                                         ", the vCPU's is ", Decimal(vcpu)});
  }
  if ((apic.apicbase & kApicBaseX2) != 0 && (apic.apicbase & kApicBaseEnabled) == 0) {
    return refuse(ErrorCode::bad_value, {"apic instance ", Decimal(vcpu), ": apicbase is ",
                                         os::hexadecimal(apic.apicbase), ", an x2APIC that is not enabled"});
  }
  return {};
}

}  // namespace vcpr::kvm
