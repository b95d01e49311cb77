// Each invariant can fire: a handover that went well, with one thing in it made wrong.
#include <gtest/gtest.h>

#include "properties/machine/pci/guest.hpp"
#include "properties/whole_vm/trial.hpp"

namespace vcpr::whole_vm {
namespace {

using machine::DeviceModel;

/// What was seen of a handover, to be tampered with.
struct Scene {
  explicit Scene(Backend backend, lifecycle::Mode mode = lifecycle::Mode::cpr_transfer)
      : rig({.devices = {{DeviceModel::igb, backend, Interrupt::msix, 2},
                         {DeviceModel::edu, backend, Interrupt::intx}}}),
        attempt{.mode = mode} {
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
};

const std::vector<Wrong>& wrongs() {
  static const std::vector<Wrong> all = {
      {"somebody_owns_the_vm", [](Scene& scene) { scene.outcome.ended = false; }},
      {"what_cannot_be_handed_over_is_refused",
       [](Scene& scene) { scene.attempt.mode = lifecycle::Mode::cpr_reboot; }},  // of a guest that was awake
      {"nothing_is_closed_twice_or_left", [](Scene& scene) { ++scene.after.descriptors; }},
      {"keys_lead_to_the_same_files", [](Scene& scene) { scene.after.table.erase(scene.after.table.begin()); }},
      {"keys_lead_to_the_same_files", [](Scene& scene) { ++scene.after.table.begin()->second.file.description; }},
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
      {"memory_keeps_its_contents", [](Scene& scene) { scene.after.ram[0][7] ^= std::byte{1}; }},
      {"the_run_state_crosses_over", [](Scene& scene) { scene.after.run_state = lifecycle::RunState::paused; }},
      {"the_run_state_crosses_over", [](Scene& scene) { scene.after.incoming = true; }},
      {"one_guest_runs", [](Scene& scene) { (void)scene.rig.old_owner()->vcpus.resume(); }},
      {"no_device_is_reset", [](Scene& scene) { (void)scene.rig.owner()->vm->reset(); }},
  };
  return all;
}

TEST(Invariants, HoldOfAHandoverThatWentWell) {
  for (Backend backend : {Backend::legacy, Backend::iommufd}) EXPECT_EQ(Scene(backend).fired(), "");
}

class Planted : public testing::TestWithParam<std::size_t> {};

TEST_P(Planted, IsSeenByItsInvariant) {
  const Wrong& wrong = wrongs()[GetParam()];
  Scene scene(Backend::legacy);
  wrong.make(scene);
  EXPECT_NE(scene.fired().find(wrong.name), std::string::npos) << wrong.name << " did not fire, but: " << scene.fired();
}
INSTANTIATE_TEST_SUITE_P(All, Planted, testing::Range(std::size_t{0}, wrongs().size()));

TEST(Invariants, SeeOtherIdsOfAnIommufd) {
  Scene scene(Backend::iommufd);
  ++scene.after.devices[0].attached_ioas;
  EXPECT_NE(scene.fired().find("iommufd_ids_stay"), std::string::npos) << scene.fired();
}

TEST(Invariants, SeeAPageTableThatWasForgotten) {
  Scene scene(Backend::iommufd);
  scene.after.page_tables[0].devices = 0;
  EXPECT_NE(scene.fired().find("each_page_table_has_a_device"), std::string::npos) << scene.fired();
}

TEST(Invariants, SeeOwnershipThatDidNotMove) {
  Scene scene(Backend::iommufd);
  scene.before.mappings.push_back(scene.before.mappings[0]);
  EXPECT_NE(scene.fired().find("ownership_moves_once_and_late"), std::string::npos) << scene.fired();
}

TEST(Invariants, SeeDmaThatReachesNothing) {
  Scene scene(Backend::legacy);
  ASSERT_TRUE(machine::start_dma(scene.rig.machine(), 1, 0xdead000, 64));
  ASSERT_TRUE(machine::complete_dma(scene.rig.machine(), 1));
  EXPECT_NE(scene.fired().find("dma_reaches_the_same_pages"), std::string::npos) << scene.fired();
}

TEST(Invariants, SeeALineThatIsLeftMasked) {
  Scene scene(Backend::legacy);
  scene.rig.guest().hold();
  scene.rig.guest().raise(2);
  EXPECT_NE(scene.fired().find("no_line_is_stuck"), std::string::npos) << scene.fired();
}

TEST(Invariants, SeeARollBackThatLeftSomething) {
  Scene scene(Backend::legacy, lifecycle::Mode::cpr_reboot);  // the guest is awake: refused
  ASSERT_TRUE(scene.handover().kept());
  ++scene.after.blockers;
  EXPECT_NE(scene.fired().find("a_failed_attempt_changes_nothing"), std::string::npos) << scene.fired();
  scene.after = scene.before;
  scene.outcome.roll_back = handover::RollBack::incomplete;
  EXPECT_NE(scene.fired().find("a_failed_attempt_changes_nothing"), std::string::npos) << scene.fired();
  EXPECT_NE(scene.fired().find("an_undisturbed_attempt_succeeds"), std::string::npos) << scene.fired();
}

}  // namespace
}  // namespace vcpr::whole_vm
