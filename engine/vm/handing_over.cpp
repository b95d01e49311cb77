// What a handover does to a VM as a whole: stop, resume here, give away, arrive.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/vm/virtual_machine.hpp"
#include "engine/vmstate/sections/iommufd.hpp"
#include "engine/vmstate/sections/vfio_container.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"

namespace vcpr::vm {

using lifecycle::RunState;

vmstate::Configuration VirtualMachine::configuration() const {
  vmstate::Configuration ours;
  ours.machine = config_.machine;
  return ours;
}

Expected<vmstate::SectionTable*> VirtualMachine::sections(lifecycle::Mode mode) {
  if (mode != lifecycle::Mode::cpr_reboot) return &life_.sections;
  const std::array<const vmstate::Description*, 3> left_out = {&vmstate::kVfioCprPci, &vmstate::kVfioContainer,
                                                               &vmstate::kIommufd};
  reboot_sections_ = {};
  for (std::size_t position = 0; position < life_.sections.size(); ++position) {
    vmstate::Section section = life_.sections[position];
    if (section.description != nullptr && std::ranges::find(left_out, section.description) != left_out.end()) continue;
    if (section.iterable == &ram_list_) section.iterable = &ram_contents_;
    if (Expected<void> added = reboot_sections_.add(std::move(section)); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  return &reboot_sections_;
}

Expected<void> VirtualMachine::stop() {
  if (before_stop_) return {};
  if (Expected<void> ours = life_.check_ours("handover"); !ours) return ours;
  before_stop_ = life_.run_state;
  global_state_ = vmstate::GlobalState::of(name(life_.run_state));
  global_state_.has_vm_was_suspended = true;  // as every QEMU since 9.0 says: the next field has a meaning
  global_state_.vm_was_suspended = life_.was_suspended;
  life_.run_state = RunState::finish_migrate;
  return life_.vcpus.pause();
}

Expected<void> VirtualMachine::resume_here() {
  if (!before_stop_) return {};
  if (Expected<void> runs = run(*before_stop_); !runs) return runs;
  before_stop_.reset();
  return {};
}

void VirtualMachine::stay_paused() {
  if (!before_stop_) return;
  life_.was_suspended = life_.was_suspended || *before_stop_ == RunState::suspended;
  before_stop_.reset();
  life_.run_state = RunState::paused;
}

void VirtualMachine::give_away() {
  before_stop_.reset();
  life_.run_state = RunState::postmigrate;
  if (kvm_) kvm_->close();
}

Expected<void> VirtualMachine::check_arrived() const {
  auto state = lifecycle::run_state_named(global_state_.text());
  constexpr std::array kBetween = {RunState::inmigrate, RunState::finish_migrate, RunState::postmigrate};
  if (state && std::ranges::find(kBetween, *state) == kBetween.end()) return {};
  return refuse(ErrorCode::bad_value, {"globalstate: no VM takes up the run state ", quoted(global_state_.text())});
}

Expected<void> VirtualMachine::arrive() {
  if (Expected<void> known = check_arrived(); !known) return known;
  RunState state = *lifecycle::run_state_named(global_state_.text());
  life_.was_suspended = global_state_.has_vm_was_suspended && global_state_.vm_was_suspended && !is_live(state);
  life_.incoming = lifecycle::Incoming::none;
  life_.run_state = RunState::paused;
  return run(state);
}

}  // namespace vcpr::vm
