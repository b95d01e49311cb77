#include <algorithm>

#include "properties/forms/lists.hpp"
#include "properties/machine/fault.hpp"
#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using forms::limit;
using forms::wrap;
using forms::wrap_enum;

void normalise_value(Entry& entry, std::size_t position) {
  switch (entry.object) {
    case Object::eventfd:
      return;
    case Object::memfd:
      return wrap(entry.value, 0, kMaxMemfdBytes);
    case Object::vfio_group:
    case Object::vfio_device:
      return wrap(entry.value, 0, 255);
    case Object::same_as:
      return wrap(entry.value, 0, position - 1);
    default:
      entry.value = 0;
  }
}

void normalise_operand(Event& event, std::size_t entries) {
  switch (event.action) {
    case Action::fault:
      return wrap(event.operand, 1, machine::fault_table().size());
    case Action::advance:
      return;
    case Action::signal:
    case Action::drop_entry:
      return wrap(event.operand, 0, std::max<std::size_t>(entries, 1) - 1);
    default:
      event.operand = 0;
  }
}

void normalise(Event& event, const Scenario& scenario) {
  wrap_enum(event.action, kActions);
  wrap(event.handover, 0, scenario.handovers - 1u);
  wrap(event.call, 0, kMaxPinnedCall);
  normalise_operand(event, scenario.entries.size());
  if (event.action != Action::fault || event.times == 0) event.times = 1;
}

}  // namespace

bool refers_to_entry(const Event& event) {
  return event.action == Action::signal || event.action == Action::drop_entry;
}

void normalise(Entry& entry, std::size_t position) {
  wrap_enum(entry.object, position == 0 ? kObjects - 1 : kObjects);
  normalise(entry.name);
  normalise_value(entry, position);
  bool memfd = entry.object == Object::memfd;
  entry.seals = memfd ? entry.seals & kAllSeals : std::uint8_t{0};
  if (memfd) wrap(entry.offset, 0, entry.value);
  if (!memfd) entry.offset = 0;
  std::uint8_t flags = entry.object == Object::same_as ? 0 : kKeptOnExec;
  if (entry.object == Object::eventfd || entry.object == Object::socket) flags |= kNonBlocking;
  if (entry.object == Object::eventfd) flags |= kSemaphore;
  entry.flags &= flags;
}

/// Stable, for at most kMaxEvents: std::stable_sort of libstdc++-12 uses what clang-19 calls deprecated.
static void sort_by_call(std::vector<Event>& events) {
  auto earlier = [](const Event& one, const Event& other) {
    return std::pair(one.handover, one.call) < std::pair(other.handover, other.call);
  };
  for (auto event = events.begin(); event != events.end(); ++event) {
    std::rotate(std::upper_bound(events.begin(), event, *event, earlier), event, event + 1);
  }
}

void normalise(Scenario& scenario) {
  wrap_enum(scenario.mode, kModes);
  wrap_enum(scenario.accept, kAccepts);
  wrap_enum(scenario.claiming, kClaimings);
  wrap(scenario.handovers, 1, kMaxHandovers);
  wrap(scenario.descriptor_limit, 8, 1024);
  wrap(scenario.socket_buffer, 256, 212992);
  for (std::uint16_t* timeout : {&scenario.connect_timeout, &scenario.transfer_timeout, &scenario.hang_up_timeout}) {
    if (*timeout == 0) *timeout = 1;
  }
  limit(scenario.entries, kMaxEntries);
  limit(scenario.devices, kMaxDevices);
  bool claims = scenario.claiming == Claiming::listed && !scenario.entries.empty();
  limit(scenario.claims, claims ? kMaxClaims : 0);
  for (std::size_t at = 0; at < scenario.entries.size(); ++at) normalise(scenario.entries[at], at);
  for (Device& device : scenario.devices) device.index %= kNameIndices;
  for (std::uint16_t& claim : scenario.claims) wrap(claim, 0, scenario.entries.size() - 1);
  for (Event& event : scenario.events) normalise(event, scenario);
  if (scenario.entries.empty()) std::erase_if(scenario.events, refers_to_entry);
  limit(scenario.events, kMaxEvents);
  sort_by_call(scenario.events);
}

}  // namespace vcpr::scenario
