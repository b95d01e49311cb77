// Each invariant that is asked after every call can fire: in an attempt that would go well, something is done once that
// must not be, at the first call where it can.
#include "properties/whole_vm/watch.hpp"

#include <array>
#include <functional>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/kvm.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/whole_vm/wrong_testing.hpp"

namespace vcpr::whole_vm {
namespace {

namespace abi = os::abi;
namespace request = os::abi::request;
using handover::TargetStep;

constexpr std::uint64_t kElsewhere = 0x40000000;

bool old_runs(Rig& rig) {
  return rig.new_owner() != nullptr && rig.old_owner()->vcpus.running();
}
bool old_is_stopped(Rig& rig) {
  return rig.old_owner()->vm->is_stopped();
}
bool is_given(Rig& rig) {
  return rig.old_owner()->vm->life().run_state == lifecycle::RunState::postmigrate;
}
bool new_has(Rig& rig, std::string_view name) {
  return old_runs(rig) && new_file(rig, name) >= 0;
}
void unmap(Owner& owner, int container, const machine::MappingFact& mapping) {
  abi::vfio_iommu_type1_dma_unmap unmap{};
  unmap.argsz = sizeof unmap;
  unmap.iova = mapping.iova;
  unmap.size = mapping.size;
  ASSERT_TRUE(owner.kernel.ioctl(container, request::vfio_iommu_unmap_dma, &unmap));
}

void map_once_more(Owner& owner, int container, const machine::MappingFact& mapping) {
  abi::vfio_iommu_type1_dma_map map{};
  map.argsz = sizeof map;
  map.flags = abi::vfio_dma_map_flag_read;
  map.vaddr = mapping.vaddr;
  map.iova = kElsewhere;
  map.size = mapping.size;
  ASSERT_TRUE(owner.kernel.ioctl(container, request::vfio_iommu_map_dma, &map));
}

void clear_error_trigger(Owner& owner, int device) {
  abi::vfio_irq_set set{};
  set.argsz = sizeof set;
  set.flags = abi::vfio_irq_set_data_none | abi::vfio_irq_set_action_trigger;
  set.index = abi::vfio_pci_err_irq_index;
  ASSERT_TRUE(owner.kernel.ioctl(device, request::vfio_device_set_irqs, &set));
}

void signal_vector(Owner& owner, std::uint32_t vector) {
  abi::kvm_msi message{};
  message.address_lo = 0xfee00000;
  message.data = vector;
  ASSERT_TRUE(owner.kernel.ioctl(owner.vm->kvm()->vm_fd(), request::kvm_signal_msi, &message));
}

struct Wrong {
  std::string_view name;  ///< of the invariant that must see it first
  std::function<bool(Rig&)> when;
  std::function<void(Rig&)> make;
  Shape shape{.devices = {{machine::DeviceModel::igb, Backend::legacy, Interrupt::msix, 2},
                          {machine::DeviceModel::edu, Backend::legacy, Interrupt::intx}}};
};

Shape by_iommufd() {
  return {.devices = {{machine::DeviceModel::igb, Backend::iommufd, Interrupt::msix, 2}}};
}

machine::MappingFact first_mapping(Rig& rig) {
  return machine::Truth(rig.machine()).mappings().front();
}

std::vector<Wrong> wrongs_of_files() {
  return {
      {"every_descriptor_that_is_used_is_open", old_runs, [](Rig& rig) { (void)rig.old_owner()->kernel.close(999); }},
      {"every_descriptor_that_is_used_is_open", old_runs,
       [](Rig& rig) { (void)rig.old_owner()->kernel.fcntl(999, abi::f_getfl, 0); }},
      {"somebody_holds_every_file", old_runs,
       [](Rig& rig) { (void)rig.old_owner()->kernel.close(old_file(rig, "err_notifier")); }},
      {"who_gave_the_vm_away_only_closes", is_given,
       [](Rig& rig) { (void)rig.old_owner()->kernel.fcntl(old_file(rig, "container"), abi::f_getfl, 0); }},
      {"who_gave_the_vm_away_only_closes", is_given,
       [](Rig& rig) {
         (void)rig.old_owner()->kernel.ioctl(old_file(rig, "container"), request::vfio_get_api_version, nullptr);
       }},
      {"nothing_is_built_or_torn_down", old_runs,
       [](Rig& rig) {
         abi::iommu_ioas_alloc alloc{};
         alloc.size = sizeof alloc;
         (void)rig.old_owner()->kernel.ioctl(old_file(rig, "iommufd"), request::iommu_ioas_alloc, &alloc);
       },
       by_iommufd()},
  };
}

std::vector<Wrong> wrongs_of_memory() {
  return {
      {"nothing_is_mapped_while_stopped", old_is_stopped,
       [](Rig& rig) { unmap(*rig.old_owner(), old_file(rig, "container"), first_mapping(rig)); }},
      {"no_guest_runs_on_invalid_vaddrs", [](Rig& rig) { return machine::Truth(rig.machine()).has_invalid_vaddrs(); },
       [](Rig& rig) { (void)rig.old_owner()->vcpus.resume(); }},
      {"no_page_is_charged_twice", old_runs,
       [](Rig& rig) { map_once_more(*rig.old_owner(), old_file(rig, "container"), first_mapping(rig)); }},
      {"ownership_moves_while_stopped", [](Rig& rig) { return new_has(rig, "iommufd"); },
       [](Rig& rig) {
         abi::iommu_ioas_change_process change{};
         change.size = sizeof change;
         (void)rig.new_owner()->kernel.ioctl(new_file(rig, "iommufd"), request::iommu_ioas_change_process, &change);
       },
       by_iommufd()},
      {"nothing_happens_before_the_checks",
       [](Rig& rig) { return new_is_built(rig) && *rig.target_step() == TargetStep::listening; },
       [](Rig& rig) { set_lapic(*rig.new_owner()); }},
  };
}

std::vector<Wrong> wrongs_of_interrupts() {
  Shape older{.devices = {{machine::DeviceModel::edu, Backend::legacy, Interrupt::msi}}};
  older.switches.irqfd_excludes_other_vms = false;
  return {
      {"no_eventfd_has_two_irqfds", old_runs,
       [](Rig& rig) { make_irqfd(*rig.old_owner(), old_file(rig, "kvm_interrupt")); }, older},
      {"irqfds_are_where_the_guest_is", old_runs,
       [](Rig& rig) { make_irqfd(*rig.new_owner(), rig.new_owner()->kernel.eventfd(0, 0).value()); }},
      {"controllers_are_set_before_irqfds",
       [](Rig& rig) { return new_is_built(rig) && *rig.target_step() == TargetStep::waiting_for_word; },
       [](Rig& rig) { set_lapic(*rig.new_owner()); }},
      {"signals_meet_their_route", old_runs,
       [](Rig& rig) {
         abi::kvm_irq_routing none{};
         ASSERT_TRUE(
             rig.old_owner()->kernel.ioctl(rig.old_owner()->vm->kvm()->vm_fd(), request::kvm_set_gsi_routing, &none));
         rig.guest().raise(0);
       }},
      {"no_masked_vector_is_delivered", old_runs,
       [](Rig& rig) {
         Owner& old = *rig.old_owner();
         ASSERT_TRUE(rig.guest().mask(*old.vm, old.process, 2, true));
         signal_vector(old, rig.guest().lines()[2].cpu_vector);
       }},
      {"no_trigger_changes", old_runs,
       [](Rig& rig) { clear_error_trigger(*rig.old_owner(), old_file(rig, host_address(0))); }},
      {"no_device_is_touched", old_runs,
       [](Rig& rig) {
         (void)rig.old_owner()->kernel.ioctl(old_file(rig, host_address(0)), request::vfio_device_reset, nullptr);
       }},
      {"no_device_is_touched", old_runs,
       [](Rig& rig) { (void)rig.old_owner()->vm->device(host_address(0))->write_config(4, 0, 2); }},
  };
}

std::vector<Wrong> wrongs_of_the_guest() {
  return {
      {"only_one_guest_is_running", old_runs, [](Rig& rig) { (void)rig.new_owner()->vcpus.resume(); }},
      {"nobody_runs_while_incoming",
       [](Rig& rig) {
         return new_is_built(rig) && !machine::Truth(rig.machine()).has_irqfds(rig.old_owner()->process);
       },
       [](Rig& rig) { (void)rig.new_owner()->vcpus.resume(); }, by_iommufd()},
  };
}

std::vector<Wrong> wrongs() {
  std::vector<Wrong> all;
  for (const auto& some : {wrongs_of_files(), wrongs_of_memory(), wrongs_of_interrupts(), wrongs_of_the_guest()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

class PlantedAtACall : public testing::TestWithParam<std::size_t> {};

TEST_P(PlantedAtACall, IsSeenByItsInvariant) {
  const Wrong wrong = wrongs()[GetParam()];
  bool is_made = false;
  const Attempt attempt = attempt_with([&](Rig& rig) {
    if (is_made || !wrong.when(rig)) return;
    is_made = true;
    wrong.make(rig);
  });
  const Played played = play(wrong.shape, attempt, true);
  EXPECT_TRUE(is_made);
  ASSERT_FALSE(played.violations.empty()) << wrong.name;
  EXPECT_EQ(played.violations.front().name, wrong.name) << invariants::text(played.violations.front());
}
INSTANTIATE_TEST_SUITE_P(All, PlantedAtACall, testing::Range(std::size_t{0}, wrongs().size()));

TEST(Watch, HasAPlantedViolationForEachOfItsInvariants) {
  const std::vector<Wrong> planted = wrongs();
  for (const SafetyInvariant& each : safety_invariants())
    EXPECT_TRUE(std::ranges::any_of(planted, [&](const Wrong& wrong) { return wrong.name == each.name; })) << each.name;
}

}  // namespace
}  // namespace vcpr::whole_vm
