// Each invariant can fire: a handover that went well, with one thing in it made wrong.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>

#include "properties/machine/pci/guest.hpp"
#include "properties/whole_vm/wrong_testing.hpp"

namespace vcpr::whole_vm {
namespace {

using machine::DeviceModel;

/// What is handed over, how, and what happens before each of its calls.
struct Setting {
  Backend backend = Backend::legacy;
  lifecycle::Mode mode = lifecycle::Mode::cpr_transfer;
  bool shared_eventfds = false;
  std::function<void(Rig&)> before_call = [](Rig&) {};
};

Shape shape_of(const Setting& setting) {
  Shape shape{.devices = {{DeviceModel::igb, setting.backend, Interrupt::msix, 2},
                          {DeviceModel::edu, setting.backend, Interrupt::intx}}};
  shape.switches.irqfd_excludes_other_vms = !setting.shared_eventfds;
  return shape;
}

/// What was seen of a handover, to be tampered with.
struct Scene {
  explicit Scene(const Setting& setting)
      : rig(shape_of(setting)), attempt(attempt_with(setting.before_call, setting.mode)) {
    EXPECT_TRUE(boot_and_work(rig));
    before = take_facts(rig, *rig.owner());
    rig.machine().set_listener(&witness);
    outcome = rig.hand_over(attempt);
    rig.settle();
    rig.machine().set_listener(nullptr);
    if (rig.owner() == rig.new_owner()) rig.kill(*rig.old_owner());
    rig.settle();
    settled = rig.guest().lines();
    after = take_facts(rig, *rig.owner());
  }
  Handover handover() {
    return {.rig = rig,
            .attempt = attempt,
            .outcome = outcome,
            .witness = witness,
            .before = before,
            .after = &after,
            .settled = settled};
  }
  /// As if that process had asked now.
  void pretend(const Owner& owner, std::uint64_t request) {
    const std::array<std::uint64_t, 2> arguments{0, request};
    machine::CallRecord record{};
    record.site.number = rig.machine().calls();
    record.site.call = machine::Call::ioctl;
    record.pid = owner.process.pid();
    record.arguments = arguments;
    witness.called(record);
  }
  std::string fired() {
    std::string names;
    for (const Violation& each : check(handover())) names += std::string(each.name) + ' ';
    return names;
  }

  Rig rig;
  Attempt attempt;
  Witness witness;
  Outcome outcome;
  Facts before;
  Facts after;
  std::vector<Line> settled;
};

struct Wrong {
  std::string_view name;  ///< of the invariant that must see it
  std::function<void(Scene&)> make;
  Setting setting{};
};

/// A guest that is awake: refused.
Setting refused() {
  return {.mode = lifecycle::Mode::cpr_reboot};
}
/// Taken back when the guest is stopped.
Setting cancelled() {
  return {.before_call = [](Rig& rig) {
    if (rig.old_owner()->vm->is_stopped()) rig.cancel_old();
  }};
}
void nothing_more(Scene&) {}

std::vector<Wrong> wrongs_meanwhile() {
  const auto run_a_little = [](Rig& rig) {
    if (!machine::Truth(rig.machine()).has_invalid_vaddrs()) return;
    (void)rig.old_owner()->vcpus.resume();
    (void)rig.old_owner()->vcpus.pause();
  };
  const auto set_controllers_late = [](Rig& rig) {
    if (new_is_built(rig) && rig.target_step() == handover::TargetStep::waiting_for_word) set_lapic(*rig.new_owner());
  };
  return {
      {"vaddrs_are_invalid_only_while_stopped", nothing_more, {.before_call = run_a_little}},
      {"irqfds_come_last", nothing_more, {.before_call = set_controllers_late}},
      {"everything_is_restored_once", nothing_more, {.before_call = set_controllers_late}},
      {"the_guest_resumes_last",
       [](Scene& scene) { scene.pretend(*scene.rig.old_owner(), os::abi::request::kvm_irqfd); }, cancelled()},
      {"old_only_closes_after_done",
       [](Scene& scene) { scene.pretend(*scene.rig.old_owner(), os::abi::request::vfio_get_api_version); }},
      {"an_eventfd_has_one_irqfd",
       [](Scene& scene) { make_irqfd(*scene.rig.owner(), old_file(scene.rig, "kvm_interrupt")); },
       {.mode = lifecycle::Mode::cpr_reboot, .shared_eventfds = true}},
      {"dma_reaches_the_same_pages",
       [](Scene& scene) {
         ASSERT_TRUE(machine::start_dma(scene.rig.machine(), 1, 0xdead000, 64));
         ASSERT_TRUE(machine::complete_dma(scene.rig.machine(), 1));
       }},
      {"no_line_is_stuck",
       [](Scene& scene) {
         scene.rig.guest().hold();
         scene.rig.guest().raise(2);
       }},
      {"everybody_is_told_once", [](Scene& scene) { (void)scene.rig.owner()->bystander.take_over(); }},
      {"everybody_is_told_once",
       [](Scene& scene) { (void)scene.rig.owner()->bystander.let_go(lifecycle::Mode::cpr_transfer); }, cancelled()},
  };
}

std::vector<Wrong> wrongs_of_failed_attempts() {
  return {
      {"an_undisturbed_attempt_succeeds", nothing_more, refused()},
      {"a_failed_attempt_changes_nothing", [](Scene& scene) { ++scene.after.blockers; }, refused()},
      {"a_failed_attempt_changes_nothing",
       [](Scene& scene) { scene.outcome.roll_back = handover::RollBack::incomplete; }, refused()},
  };
}

std::vector<Wrong> wrongs_of_an_iommufd() {
  const Setting by_iommufd{.backend = Backend::iommufd};
  return {
      {"iommufd_ids_stay", [](Scene& scene) { ++scene.after.devices[0].attached_ioas; }, by_iommufd},
      {"each_page_table_has_a_device", [](Scene& scene) { scene.after.page_tables[0].devices = 0; }, by_iommufd},
      {"ownership_moves_once_and_late", [](Scene& scene) { scene.before.mappings.push_back(scene.before.mappings[0]); },
       by_iommufd},
  };
}

std::vector<Wrong> wrongs_of_what_was_seen() {
  return {
      {"somebody_owns_the_vm", [](Scene& scene) { scene.outcome.ended = false; }},
      {"what_cannot_be_handed_over_is_refused",
       [](Scene& scene) { scene.attempt.mode = lifecycle::Mode::cpr_reboot; }},  // of a guest that was awake
      {"nothing_is_closed_twice_or_left", [](Scene& scene) { ++scene.after.descriptors; }},
      {"keys_lead_to_the_same_files", [](Scene& scene) { scene.after.table.erase(scene.after.table.begin()); }},
      {"keys_lead_to_the_same_files", [](Scene& scene) { ++scene.after.table.begin()->second.file.description; }},
      {"descriptors_keep_their_flags",
       [](Scene& scene) { scene.after.table.begin()->second.file.close_on_exec = false; }},
      {"descriptors_keep_their_flags", [](Scene& scene) { scene.after.table.begin()->second.file.status_flags ^= 1; }},
      {"descriptors_keep_their_flags", [](Scene& scene) { ++scene.after.table.begin()->second.file.offset; }},
      {"everything_that_came_is_claimed",
       [](Scene& scene) {
         auto& table = scene.rig.owner()->vm->life().cpr.descriptors;
         ASSERT_TRUE(table.unclaim((*table.begin()).key));
       }},
      {"the_owner_watches_the_same", [](Scene& scene) { scene.after.table.begin()->second.is_watched ^= true; }},
      {"pending_bits_stay", [](Scene& scene) { scene.before.pending[0][0] |= std::byte{1}; }},
      {"wired_eventfds_are_in_the_table", [](Scene& scene) { scene.after.triggers[0].eventfd += 1000; }},
      {"groups_stay_in_their_containers", [](Scene& scene) { ++scene.after.groups[0].container; }},
      {"mappings_stay", [](Scene& scene) { scene.after.mappings[0].iova += 4096; }},
      {"mappings_stay", [](Scene& scene) { scene.after.mappings.pop_back(); }},
      {"vaddrs_are_the_owners", [](Scene& scene) { scene.after.mappings[0].vaddr_valid = false; }},
      {"vaddrs_are_the_owners", [](Scene& scene) { scene.after.mappings[0].vaddr += 4096; }},
      {"each_vaddr_is_moved_once", [](Scene& scene) { scene.before.mappings.push_back(scene.before.mappings[0]); }},
      {"memory_is_charged_to_the_owner", [](Scene& scene) { ++scene.after.locked_pages; }},
      {"memory_is_charged_to_the_owner", [](Scene& scene) { scene.after.mappings[0].owner = nullptr; }},
      {"every_raise_is_handled", [](Scene& scene) { scene.settled[0].handled_since_raise = 0; }},
      {"old_has_no_irqfd_left", [](Scene& scene) { scene.after.irqfds.pop_back(); }},
      {"triggers_stay", [](Scene& scene) { scene.after.triggers.pop_back(); }},
      {"the_guest_sees_the_same_device", [](Scene& scene) { scene.after.config[0][4] ^= 1; }},
      {"the_guest_sees_the_same_device", [](Scene& scene) { scene.after.msix_table[0][3] ^= std::byte{1}; }},
      {"memory_keeps_its_contents", [](Scene& scene) { scene.after.ram[0] ^= 1; }},
      {"the_run_state_crosses_over", [](Scene& scene) { scene.after.run_state = lifecycle::RunState::paused; }},
      {"the_run_state_crosses_over", [](Scene& scene) { scene.after.incoming = true; }},
      {"one_guest_runs", [](Scene& scene) { (void)scene.rig.old_owner()->vcpus.resume(); }},
      {"no_device_is_reset", [](Scene& scene) { (void)scene.rig.owner()->vm->reset(); }},
  };
}

std::vector<Wrong> wrongs() {
  std::vector<Wrong> all;
  for (const auto& some :
       {wrongs_meanwhile(), wrongs_of_failed_attempts(), wrongs_of_an_iommufd(), wrongs_of_what_was_seen()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

TEST(Invariants, HoldOfAHandoverThatWentWell) {
  for (Backend backend : {Backend::legacy, Backend::iommufd}) EXPECT_EQ(Scene({.backend = backend}).fired(), "");
  Scene taken_back(cancelled());
  Handover seen = taken_back.handover();
  ASSERT_TRUE(seen.kept());
  seen.disturbed = true;
  EXPECT_TRUE(check(seen).empty());
}

class Planted : public testing::TestWithParam<std::size_t> {};

TEST_P(Planted, IsSeenByItsInvariant) {
  const Wrong wrong = wrongs()[GetParam()];
  Scene scene(wrong.setting);
  wrong.make(scene);
  EXPECT_NE(scene.fired().find(wrong.name), std::string::npos) << wrong.name << " did not fire, but: " << scene.fired();
}
INSTANTIATE_TEST_SUITE_P(All, Planted, testing::Range(std::size_t{0}, wrongs().size()));

TEST(Invariants, HaveAPlantedViolationEach) {
  const std::vector<Wrong> planted = wrongs();
  for (const Invariant& each : invariants()) {
    EXPECT_TRUE(std::ranges::any_of(planted, [&](const Wrong& wrong) { return wrong.name == each.name; })) << each.name;
  }
}

}  // namespace
}  // namespace vcpr::whole_vm
