// Descriptors, groups, mappings, ids: what the kernel holds stays what it was.
#include <algorithm>

#include "engine/os/abi/iommufd.hpp"
#include "engine/os/abi/vfio.hpp"
#include "properties/whole_vm/driver.hpp"
#include "properties/whole_vm/verdicts.hpp"

namespace vcpr::whole_vm {

namespace {

namespace request = os::abi::request;
using machine::IovaChangeKind;
using machine::MappingFact;

constexpr std::uint64_t kPage = 4096;

/// BARs of a device whose pin a VMM delivers by hand go while an interrupt waits, and come back after a while.
bool comes_and_goes(const Handover& handover, const MappingFact& each) {
  return each.iova >= kFirstBar && (has_pin_by_hand(handover) || handover.changed);
}

/// What an unplugged device left behind because a munmap failed goes with the old process.
bool is_something_unplugged(const Handover& handover) {
  return handover.rig.config().devices.size() < handover.rig.shape().devices.size();
}

std::vector<MappingFact> lasting(const Handover& handover, std::vector<MappingFact> mappings) {
  std::erase_if(mappings, [&](const MappingFact& each) { return comes_and_goes(handover, each); });
  return mappings;
}

bool same_place(const MappingFact& a, const MappingFact& b) {
  return a.space == b.space && a.iova == b.iova && a.size == b.size && a.may_read == b.may_read &&
         a.may_write == b.may_write && (!a.is_pinned || !b.is_pinned || (a.memory == b.memory && a.page == b.page));
}

std::string text(const MappingFact& each) {
  return "iova " + number(each.iova) + " size " + number(each.size) + " of space " + number(each.space);
}

std::size_t changes(const Handover& handover, IovaChangeKind kind, const machine::Process* by = nullptr) {
  std::size_t count = 0;
  machine::Truth(handover.rig.machine()).iova_changes().for_each([&](const machine::IovaChange& each) {
    count += is_of(handover, each.call_number) && each.kind == kind && (by == nullptr || each.process == by);
  });
  return count;
}

bool has_device(const Handover& handover, Backend backend) {
  const std::vector<DeviceShape>& shapes = handover.rig.shape().devices;
  for (std::uint32_t device = 0; device < shapes.size(); ++device)
    if (shapes[device].backend == backend && handover.rig.is_plugged(device)) return true;
  return false;
}

/// A roll-back that meets error after error ends, and says so: its VM stays paused.
bool is_rolled_back_in_vain(const Handover& handover) {
  std::size_t met = 0;
  machine::Truth(handover.rig.machine()).faults().for_each([&](const machine::FaultMet& each) {
    met += is_of(handover, each.call_number) && each.process == &handover.rig.old_owner()->process;
  });
  return handover.outcome.roll_back == handover::RollBack::incomplete && met >= handover::kTakeBackAttempts;
}

/// What transfer and exec need of the kernel for the devices that there are.
bool is_kernel_too_old(const Handover& handover) {
  const machine::Switches& host = handover.rig.shape().switches;
  if (has_device(handover, Backend::legacy) && !(host.update_vaddr && host.unmap_all)) return true;
  return has_device(handover, Backend::iommufd) && !(host.change_process && host.map_file);
}

}  // namespace

Verdict what_cannot_be_handed_over_is_refused(const Handover& handover) {
  if (!handover.given() || handover.rig.config().devices.empty()) return {};
  if (handover.attempt.mode != lifecycle::Mode::cpr_reboot) {
    if (!is_kernel_too_old(handover)) return {};
    return violated("S6", "a refusal: the kernel cannot hand these devices over", "the VM is given away");
  }
  if (handover.before.run_state == lifecycle::RunState::suspended) return {};
  return violated("S6", "a refusal: a guest that is awake loses its devices", "the VM is given away");
}

bool is_building(std::uint64_t wanted) {
  switch (wanted) {
    case request::vfio_group_set_container:
    case request::vfio_group_unset_container:
    case request::vfio_set_iommu:
    case request::vfio_device_bind_iommufd:
    case request::vfio_device_attach_iommufd_pt:
    case request::vfio_device_detach_iommufd_pt:
    case request::iommu_ioas_alloc:
    case request::iommu_hwpt_alloc:
    case request::iommu_destroy:
    case request::iommu_ioas_map:
    case request::iommu_ioas_map_file:
    case request::iommu_ioas_unmap:
      return true;
    default:
      return false;
  }
}

Verdict an_undisturbed_attempt_succeeds(const Handover& handover) {
  if (handover.disturbed || handover.given()) return {};
  const auto& outcome = handover.outcome;
  return violated("S5", "the VM is given away",
                  outcome.new_error   ? outcome.new_error->message()
                  : outcome.old_error ? outcome.old_error->message()
                                      : "it is not");
}

Verdict somebody_owns_the_vm(const Handover& handover) {
  if (!handover.outcome.ended) return violated("S4", "both sides come to an end", "stuck");
  const bool may_be_lost = handover.may_be_lost && (!handover.outcome.old_error || handover.outcome.vm_killed);
  if (handover.after == nullptr && !may_be_lost && !is_rolled_back_in_vain(handover))
    return violated("S4", "the VM runs in one of the processes", "it runs in none");
  return {};
}

Verdict nothing_is_closed_twice_or_left(const Handover& handover) {
  const machine::Truth truth(handover.rig.machine());
  if (truth.bad_closes() != 0)
    return violated("I3", "each descriptor is closed once", number(truth.bad_closes()) + " closes of none");
  if (truth.descriptors_in_flight() != 0)
    return violated("I3", "nothing is left in flight", number(truth.descriptors_in_flight()) + " descriptors are");
  if (handover.after == nullptr) return {};
  // KVM's VFIO device stays when the last device goes, and is not made anew where there is none.
  const bool has_idle_link = handover.given() && handover.rig.shape().kvm && handover.rig.config().devices.empty();
  const std::uint32_t fewer = handover.before.descriptors - handover.after->descriptors;
  const bool is_right = fewer == 0 || (fewer == 1 && has_idle_link);
  if (!is_right)
    return violated("I3", "the owner has " + number(handover.before.descriptors) + " descriptors",
                    number(handover.after->descriptors));
  return {};
}

Verdict keys_lead_to_the_same_files(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const auto& [key, fact] : handover.before.table) {
    auto found = handover.after->table.find(key);
    if (found == handover.after->table.end()) return violated("I1", "an entry " + key.first, "none");
    if (found->second.file.description != fact.file.description)
      return violated("I1", key.first + " is description " + number(fact.file.description),
                      number(found->second.file.description));
  }
  if (handover.after->table.size() != handover.before.table.size())
    return violated("I1", number(handover.before.table.size()) + " entries", number(handover.after->table.size()));
  return {};
}

Verdict wired_eventfds_are_in_the_table(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const machine::TriggerFact& each : handover.after->triggers) {
    const bool is_known = std::ranges::any_of(
        handover.after->table, [&](const auto& entry) { return entry.second.file.description == each.eventfd; });
    if (!is_known)
      return violated("I8", "the table names the eventfd of every vector",
                      "not that of device " + number(each.device) + " vector " + number(each.vector));
  }
  return {};
}

Verdict groups_stay_in_their_containers(const Handover& handover) {
  for (const Asked& each : handover.witness.asked()) {
    if (each.succeeded && is_building(each.request))
      return violated("I10", "nothing is built or torn down", "request " + number(each.request));
  }
  if (handover.after == nullptr) return {};
  for (std::size_t i = 0; i < handover.before.groups.size(); ++i) {
    const std::uint32_t after = handover.after->groups[i].container;
    if (after == 0 && is_something_unplugged(handover)) continue;
    if (after != handover.before.groups[i].container)
      return violated("I10",
                      "group " + number(handover.before.groups[i].number) + " in container " +
                          number(handover.before.groups[i].container),
                      number(after));
  }
  return {};
}

Verdict mappings_stay(const Handover& handover) {
  if (handover.after == nullptr) return {};
  const auto before = lasting(handover, handover.before.mappings);
  const auto after = lasting(handover, handover.after->mappings);
  if (is_something_unplugged(handover) && after.size() < before.size()) return {};
  if (before.size() != after.size()) return violated("I11", number(before.size()) + " mappings", number(after.size()));
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!same_place(before[i], after[i])) return violated("I11", text(before[i]), text(after[i]));
  }
  const std::uint64_t stopped = handover.rig.old_owner()->vcpus.last_stop();
  const std::uint64_t resumed = handover.rig.owner()->vcpus.runs().back().from;
  Verdict verdict;
  machine::Truth(handover.rig.machine()).iova_changes().for_each([&](const machine::IovaChange& each) {
    const bool is_map = each.kind == IovaChangeKind::mapped || each.kind == IovaChangeKind::unmapped;
    if (is_map && each.call_number >= stopped && each.call_number < resumed)
      verdict = violated("I11", "nothing is mapped or unmapped while the guest is stopped",
                         "at call " + number(each.call_number));
  });
  return verdict;
}

Verdict dma_reaches_the_same_pages(const Handover& handover) {
  Verdict verdict;
  machine::Truth(handover.rig.machine()).dma().for_each([&](const machine::DmaAccess& each) {
    if (!is_of(handover, each.call_number)) return;
    const auto mapping = std::ranges::find_if(handover.before.mappings, [&](const MappingFact& one) {
      return one.memory == each.memory && each.iova >= one.iova && each.iova - one.iova < one.size;
    });
    const bool is_same = each.done && mapping != handover.before.mappings.end() &&
                         each.page == mapping->page + (each.iova - mapping->iova) / kPage;
    if (!is_same)
      verdict = violated("I11", "device " + number(each.device) + " reaches the page at iova " + number(each.iova),
                         each.done ? "another page" : "nothing, at call " + number(each.call_number));
  });
  return verdict;
}

Verdict vaddrs_are_the_owners(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const MappingFact& each : handover.after->mappings) {
    if (each.is_file) continue;
    if (!each.vaddr_valid) return violated("I12", "a valid vaddr for " + text(each), "an invalid one");
    if (each.owner != &handover.rig.owner()->process)
      return violated("I12", "the owner's vaddr for " + text(each), "another's");
    const auto page = page_behind(handover.rig.owner()->process, each.vaddr);
    if (each.memory != 0 && (!page || page->memory != each.memory || page->page != each.page))
      return violated("I12", "the vaddr of " + text(each) + " leads to its pages", "to others");
  }
  return {};
}

Verdict each_vaddr_is_moved_once(const Handover& handover) {
  if (handover.disturbed || !handover.given()) return {};
  const bool is_exact = std::ranges::none_of(handover.before.mappings,
                                             [&](const MappingFact& each) { return comes_and_goes(handover, each); });
  if (!is_exact || is_something_unplugged(handover)) return {};
  const auto by_address = static_cast<std::size_t>(
      std::ranges::count_if(handover.before.mappings, [](const MappingFact& each) { return !each.is_file; }));
  const auto invalidated = changes(handover, IovaChangeKind::vaddr_invalidated);
  const auto updated = changes(handover, IovaChangeKind::vaddr_updated);
  if (invalidated != by_address) return violated("I15", number(by_address) + " invalidated", number(invalidated));
  if (updated != by_address) return violated("I13", number(by_address) + " updated", number(updated));
  return {};
}

Verdict vaddrs_are_invalid_only_while_stopped(const Handover& handover) {
  Verdict verdict;
  std::uint64_t invalid_since = 0;
  std::size_t invalid = 0;
  machine::Truth(handover.rig.machine()).iova_changes().for_each([&](const machine::IovaChange& each) {
    if (!is_of(handover, each.call_number)) return;
    if (each.kind == IovaChangeKind::vaddr_invalidated && invalid++ == 0) invalid_since = each.call_number;
    if (each.kind != IovaChangeKind::vaddr_updated || invalid == 0) return;
    if (--invalid != 0) return;
    for (const Owner* owner : {handover.rig.old_owner(), handover.rig.new_owner()}) {
      if (owner == nullptr) continue;
      for (const GuestVcpus::Run& run : owner->vcpus.runs()) {
        if (run.from < each.call_number && run.to > invalid_since)
          verdict =
              violated("I14", "vCPUs stopped from call " + number(invalid_since), "a run from " + number(run.from));
      }
    }
  });
  return verdict;
}

Verdict memory_is_charged_to_the_owner(const Handover& handover) {
  if (handover.after == nullptr) return {};
  const auto is_charged = [&](std::uint64_t before, std::uint64_t after) {
    return after == before || (is_something_unplugged(handover) && after < before);
  };
  if (!is_charged(handover.before.locked_pages, handover.after->locked_pages))
    return violated("I16", number(handover.before.locked_pages) + " locked pages",
                    number(handover.after->locked_pages));
  // Linux 7.2 forgets whose the pages of a privileged process are when they change hands.
  const machine::Switches& switches = handover.rig.shape().switches;
  const bool is_forgotten = switches.ipc_lock && switches.change_process_forgets_privileged;
  if (!is_forgotten && !is_charged(handover.before.pinned_pages, handover.after->pinned_pages))
    return violated("I16", number(handover.before.pinned_pages) + " pinned pages",
                    number(handover.after->pinned_pages));
  for (const MappingFact& each : handover.after->mappings) {
    if (each.owner != &handover.rig.owner()->process)
      return violated("I21", "the owner is charged for " + text(each), "another process");
  }
  return {};
}

Verdict iommufd_ids_stay(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (std::size_t i = 0; i < handover.before.devices.size(); ++i) {
    const machine::DeviceFact& before = handover.before.devices[i];
    const machine::DeviceFact& after = handover.after->devices[i];
    if (!handover.rig.is_plugged(before.number)) continue;
    if (before.devid != after.devid || before.attached_hwpt != after.attached_hwpt ||
        before.attached_ioas != after.attached_ioas || before.iommufd != after.iommufd)
      return violated("I17", "the ids of device " + number(before.number) + " stay", "others");
    if (before.iommufd == 0) continue;
    auto record = handover.rig.owner()->vm->life().cpr.devices.find(before.name);
    if (!record || record->devid != static_cast<std::int32_t>(before.devid) || record->ioas_id != before.attached_ioas)
      return violated("I17", "a record of device " + number(before.number) + " with its ids", "none or others");
  }
  return {};
}

/// One without was forgotten when its last device left, and keeps its address space with it.
Verdict each_page_table_has_a_device(const Handover& handover) {
  if (handover.after == nullptr) return {};
  for (const machine::PageTableFact& each : handover.after->page_tables)
    if (each.devices == 0) return violated("I18", "page table " + number(each.id) + " has a device", "none");
  return {};
}

Verdict ownership_moves_once_and_late(const Handover& handover) {
  if (handover.disturbed || !handover.given()) return {};
  const std::uint64_t stopped = handover.rig.old_owner()->vcpus.last_stop();
  Verdict verdict;
  std::size_t moved = 0;
  machine::Truth(handover.rig.machine()).iova_changes().for_each([&](const machine::IovaChange& each) {
    if (!is_of(handover, each.call_number) || each.kind != IovaChangeKind::owner_changed) return;
    ++moved;
    if (each.call_number < stopped)
      verdict = violated("I20", "after the stop at " + number(stopped), number(each.call_number));
  });
  const auto files = static_cast<std::size_t>(
      std::ranges::count_if(handover.before.mappings, [](const MappingFact& each) { return each.is_file; }));
  if (moved != files) return violated("I20", number(files) + " areas change hands once", number(moved) + " times");
  return verdict;
}

}  // namespace vcpr::whole_vm
