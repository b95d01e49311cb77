#include "engine/vfio/reboot_rule.hpp"

#include "engine/vfio/vfio_cpr.hpp"

namespace vcpr::vfio {

namespace {

class RebootRule final : public lifecycle::Participant {
 public:
  RebootRule(const Vm& vm, std::string what) : vm_(vm), what_(std::move(what)) {}
  std::string what() const override { return what_; }
  Expected<void> let_go(lifecycle::Mode) override { return vfio_cpr_reboot_notifier(vm_); }

 private:
  const Vm& vm_;
  std::string what_;
};

}  // namespace

std::unique_ptr<lifecycle::Participant> add_reboot_rule(Vm& vm, std::string what) {
  auto rule = std::make_unique<RebootRule>(vm, std::move(what));
  vm.life.participants.add(*rule, lifecycle::Rank::devices, {lifecycle::Mode::cpr_reboot});
  return rule;
}

void remove_participant(Vm& vm, std::unique_ptr<lifecycle::Participant>& participant) {
  if (!participant) return;
  vm.life.participants.remove(*participant);
  participant.reset();
}

/// A guest that sleeps, paused or not, lets its drivers set the devices up again (QEMU hw/vfio/cpr.c).
Expected<void> vfio_cpr_reboot_notifier(const Vm& vm) {
  if (vm.life.run_state == lifecycle::RunState::suspended || vm.life.was_suspended) return {};
  return refuse(ErrorCode::bad_state, {"the guest is ", lifecycle::name(vm.life.run_state),
                                       ", but only a suspended one can lose its VFIO devices"});
}

}  // namespace vcpr::vfio
