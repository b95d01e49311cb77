// What can happen at one call of a handover: one interrupt, fault, death or cancel, DMA or step of the guest, as a
// change of the scenario of that handover.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "properties/machine/fault.hpp"
#include "properties/sweeps/canonical.hpp"

namespace vcpr::sweeps {

/// One event at one call boundary.
struct Disturbance {
  std::vector<vm_scenario::Step> before;  ///< what must be so when the handover begins
  std::vector<vm_scenario::Step> at;      ///< pinned; the last is the event
  bool again = false;                     ///< the handover may fail: it is followed by one that nothing disturbs
};

/// Every single event of a handover, by call, up to vm_scenario::kMaxCall. `calls`: those it makes undisturbed, each by
/// the fault points that it comes by.
std::vector<Disturbance> disturbances(const Canonical& canonical, std::span<const machine::FaultSet> calls);

/// The scenario with all of these in it.
vm_scenario::Scenario disturbed(const Canonical& canonical, std::span<const Disturbance> events);

/// `count` scenarios with two of them, the second at the call of the first or at one of the next kNear; `all` is what
/// disturbances() gave. Equal seeds give equal pairs.
inline constexpr std::uint16_t kNear = 32;
std::vector<vm_scenario::Scenario> pairs(const Canonical& canonical, std::span<const Disturbance> all,
                                         std::size_t count, std::uint64_t seed);

}  // namespace vcpr::sweeps
