// What the targets over scenarios of whole VMs have in common: each looks at one kind of them.
#pragma once

#include "fuzz/target.hpp"
#include "properties/vm_scenario/focus.hpp"

namespace vcpr::fuzz {

/// The scenario that these bytes are for a target of this focus.
vm_scenario::Scenario vm_input(std::span<const std::uint8_t> input, vm_scenario::Focus focus);

Ran run_vm(const vm_scenario::Scenario& scenario, const Explain* explain);
std::size_t write_vm(vm_scenario::Scenario scenario, vm_scenario::Focus focus, std::span<std::uint8_t> into);
std::expected<Bytes, std::string> parse_vm(std::string_view text, vm_scenario::Focus focus);

template <vm_scenario::Focus focus>
struct VmTarget {
  static Ran run(std::span<const std::uint8_t> input, const Explain* explain) {
    return run_vm(vm_input(input, focus), explain);
  }
  static std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, Draw draw) {
    vm_scenario::Scenario scenario = vm_input({data, size}, focus);
    vm_scenario::mutate(scenario, draw.seed, vm_scenario::swarm(draw.swarm));
    return write_vm(std::move(scenario), focus, {data, capacity});
  }
  static std::size_t cross_over(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right,
                                std::span<std::uint8_t> child, std::uint32_t seed) {
    return write_vm(vm_scenario::cross_over(vm_input(left, focus), vm_input(right, focus), seed), focus, child);
  }
  static std::string print(std::span<const std::uint8_t> input) { return vm_scenario::print(vm_input(input, focus)); }
  static std::expected<Bytes, std::string> parse(std::string_view text) { return parse_vm(text, focus); }
};

/// One per file in fuzz/targets/: VCPR_VM_TARGET(handover_exec, "one sentence", exec)
#define VCPR_VM_TARGET(target_name, sentence, focus)                                                             \
  using TheTarget = ::vcpr::fuzz::VmTarget<::vcpr::vm_scenario::Focus::focus>;                                   \
  VCPR_FUZZ_TARGET(target_name, sentence, TheTarget::run, TheTarget::mutate, TheTarget::print, TheTarget::parse, \
                   TheTarget::cross_over)

}  // namespace vcpr::fuzz
