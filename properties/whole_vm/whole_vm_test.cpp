// Whole VMs handed over on the simulated machine: undisturbed, and with one thing happening at every call boundary.
#include <gtest/gtest.h>

#include "properties/whole_vm/trial.hpp"

namespace vcpr::whole_vm {
namespace {

using lifecycle::Mode;
using machine::DeviceModel;

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (Backend backend : {Backend::legacy, Backend::iommufd}) {
    for (bool kvm : {true, false}) {
      all.push_back({.devices = {{DeviceModel::edu, backend, Interrupt::msi}}, .kvm = kvm});
      all.push_back({.devices = {{DeviceModel::edu, backend, Interrupt::intx}}, .kvm = kvm});
      all.push_back({.devices = {{DeviceModel::igb, backend, Interrupt::msix, 3}}, .kvm = kvm});
      all.push_back({.devices = {{DeviceModel::igb, backend, Interrupt::intx}}, .kvm = kvm});
    }
    all.push_back(
        {.devices = {{DeviceModel::edu, backend, Interrupt::intx}, {DeviceModel::igb, backend, Interrupt::msix, 8}},
         .ram_blocks = 2});
  }
  return all;
}

/// Those that differ in what the engine does at each call; the sweeps take a handover per call and fault.
std::vector<Shape> swept_shapes() {
  machine::Switches shared_eventfds;
  shared_eventfds.irqfd_excludes_other_vms = false;
  return {{.devices = {{DeviceModel::igb, Backend::legacy, Interrupt::msix, 3}}},
          {.devices = {{DeviceModel::edu, Backend::legacy, Interrupt::intx}}},
          {.devices = {{DeviceModel::igb, Backend::iommufd, Interrupt::msix, 2}}, .switches = shared_eventfds},
          {.devices = {{DeviceModel::edu, Backend::iommufd, Interrupt::intx}}, .kvm = false},
          {.devices = {{DeviceModel::edu, Backend::legacy, Interrupt::msi},
                       {DeviceModel::igb, Backend::iommufd, Interrupt::intx}}}};
}

std::string joined(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& each : violations) text += invariants::text(each) + '\n';
  return text;
}

class WholeVm : public testing::TestWithParam<Shape> {};

TEST_P(WholeVm, IsHandedOver) {
  for (Mode mode : {Mode::cpr_transfer, Mode::cpr_exec}) {
    const Played played = play(GetParam(), {.mode = mode}, false);
    EXPECT_TRUE(played.given) << name(mode) << ": "
                              << (played.outcome.old_error ? played.outcome.old_error->message() : "") << " / "
                              << (played.outcome.new_error ? played.outcome.new_error->message() : "");
    EXPECT_TRUE(played.violations.empty()) << name(mode) << ": " << joined(played.violations);
  }
}

/// Failures after which a sweep says no more.
constexpr int kEnough = 5;

/// True: enough has been said.
bool report(const Attempt& attempt, std::string_view what, std::uint64_t at, const Played& played, int& failures) {
  if (played.violations.empty()) return false;
  ADD_FAILURE() << name(attempt.mode) << ", " << what << " at call " << at << ":\n" << joined(played.violations);
  return ++failures == kEnough;
}

/// Plays once undisturbed to count the calls, then once for each boundary with `action` there.
void sweep(const Shape& shape, Attempt attempt, std::string_view what, const std::function<void(Rig&)>& action,
           bool disturbed) {
  const std::uint64_t calls = play(shape, attempt, false).outcome.calls;
  int failures = 0;
  for (std::uint64_t at = 0; at < calls; ++at) {
    attempt.events = {{.at = at, .action = action}};
    if (report(attempt, what, at, play(shape, attempt, disturbed), failures)) return;
  }
}

/// Each fault that the machine has for a call, at each such call.
void sweep_faults(const Shape& shape, Attempt attempt) {
  const std::vector<machine::FaultSet> calls = play(shape, attempt, false).calls;
  int failures = 0;
  for (std::uint64_t at = 0; at < calls.size(); ++at) {
    for (const machine::FaultRule& rule : machine::fault_table()) {
      if (!calls[at].test(static_cast<std::size_t>(rule.point))) continue;
      attempt.events = {{.at = at, .fault = rule.point}};
      if (report(attempt, rule.name, at, play(shape, attempt, true), failures)) return;
    }
  }
}

void raise_everything(Rig& rig) {
  for (std::size_t i = 0; i < rig.guest().lines().size(); ++i) rig.guest().raise(i);
}

void kill_new(Rig& rig) {
  if (rig.new_owner() != nullptr && !rig.new_owner()->vcpus.running()) rig.kill(*rig.new_owner());
}

void kill_old(Rig& rig) {
  rig.kill(*rig.old_owner());
}

class SweptVm : public testing::TestWithParam<Shape> {};

TEST_P(SweptVm, LosesNoInterruptAtAnyCallBoundary) {
  for (Mode mode : {Mode::cpr_transfer, Mode::cpr_exec})
    sweep(GetParam(), {.mode = mode}, "an interrupt", raise_everything, false);
  sweep(GetParam(), {.want_answer = false}, "an interrupt", raise_everything, false);
  sweep(GetParam(), {.stop_first = true}, "an interrupt", raise_everything, false);
}

TEST_P(SweptVm, SurvivesTheDeathOfTheNewProcessAtAnyCallBoundary) {
  sweep(GetParam(), {}, "death of new", kill_new, true);
}

/// What the new process's KVM swallowed before it died must reach the old one's guest.
TEST_P(SweptVm, LosesNoInterruptThatTheNewProcessTookBeforeItDied) {
  constexpr std::uint64_t kNear = 24;  // calls between the two: from the first irqfd to the last word
  Attempt attempt;
  const std::uint64_t calls = play(GetParam(), attempt, false).outcome.calls;
  int failures = 0;
  for (std::uint64_t death = calls - kNear; death < calls; ++death) {
    for (std::uint64_t raise = death - kNear; raise <= death; ++raise) {
      attempt.events = {{.at = raise, .action = raise_everything}, {.at = death, .action = kill_new}};
      if (report(attempt, "an interrupt, and the death of new", death, play(GetParam(), attempt, true), failures))
        return;
    }
  }
}

TEST_P(SweptVm, EndsWellWhereTheOldProcessDiesAtAnyCallBoundary) {
  sweep(GetParam(), {}, "death of old", kill_old, true);
}

TEST_P(SweptVm, SurvivesEveryFaultOfEveryCall) {
  sweep_faults(GetParam(), {});
  sweep_faults(GetParam(), {.mode = Mode::cpr_exec});
}

std::string name_of(const testing::TestParamInfo<Shape>& shape) {
  std::string text = whole_vm::text(shape.param);
  std::erase_if(text, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return text;
}
INSTANTIATE_TEST_SUITE_P(Shapes, WholeVm, testing::ValuesIn(shapes()), name_of);
INSTANTIATE_TEST_SUITE_P(Shapes, SweptVm, testing::ValuesIn(swept_shapes()), name_of);

}  // namespace
}  // namespace vcpr::whole_vm
