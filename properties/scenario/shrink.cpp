#include <algorithm>
#include <bit>

#include "properties/forms/candidates.hpp"
#include "properties/forms/lists.hpp"
#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using Candidates = forms::Candidates<Scenario>;

// Weights: losing an item outweighs everything that can happen to the others' values.
constexpr std::uint64_t kItem = 1u << 20;
constexpr std::uint64_t kValueBit = 1;
constexpr std::uint64_t kSetting = 1u << 10;

std::uint64_t magnitude(std::uint64_t value) {
  return kValueBit * static_cast<std::uint64_t>(std::bit_width(value));
}

/// Distance of an id from 0, negative ones beyond all positive.
std::uint64_t magnitude_of_id(std::int32_t id) {
  return magnitude(static_cast<std::uint32_t>(id));
}

std::uint64_t weigh(const Entry& entry) {
  return kItem + magnitude(entry.value) + magnitude(entry.offset) + magnitude_of_id(entry.id) + magnitude(entry.flags) +
         magnitude(entry.seals) + magnitude(entry.name.length);
}

std::uint64_t weigh(const Event& event) {
  bool choosable = event.action == Action::advance;
  return kItem + magnitude(event.call) + magnitude(event.handover) + magnitude(event.times) +
         (choosable ? magnitude(event.operand) : 0);
}

std::uint64_t weigh(const Device& device) {
  return kItem + magnitude_of_id(device.devid) + magnitude(device.ioas_id) + magnitude(device.hwpt_id);
}

std::uint64_t weigh_config(const Scenario& scenario) {
  const Scenario usual;
  return kSetting *
         (static_cast<std::uint64_t>(scenario.mode != usual.mode) +
          static_cast<std::uint64_t>(scenario.accept != usual.accept) +
          static_cast<std::uint64_t>(scenario.claiming != usual.claiming) +
          static_cast<std::uint64_t>(scenario.descriptor_limit != usual.descriptor_limit) +
          static_cast<std::uint64_t>(scenario.socket_buffer != usual.socket_buffer) +
          static_cast<std::uint64_t>(scenario.turns != usual.turns) +
          static_cast<std::uint64_t>(scenario.connect_timeout != usual.connect_timeout) +
          static_cast<std::uint64_t>(scenario.transfer_timeout != usual.transfer_timeout) +
          static_cast<std::uint64_t>(scenario.hang_up_timeout != usual.hang_up_timeout) + scenario.handovers);
}

/// References to entries behind a removed range move with what they refer to; those into it go.
void remove_entries(Scenario& scenario, std::size_t from, std::size_t count) {
  auto inside = [&](std::uint64_t at) { return at >= from && at < from + count; };
  auto moved = [&](auto& at) {
    if (at >= from + count) at = static_cast<std::remove_reference_t<decltype(at)>>(at - count);
  };
  forms::erase(scenario.entries, from, count);
  for (Entry& entry : scenario.entries) {
    if (entry.object == Object::same_as) moved(entry.value);
  }
  std::erase_if(scenario.claims, inside);
  std::erase_if(scenario.events, [&](const Event& event) { return refers_to_entry(event) && inside(event.operand); });
  for (std::uint16_t& claim : scenario.claims) moved(claim);
  for (Event& event : scenario.events) {
    if (refers_to_entry(event)) moved(event.operand);
  }
}

/// Halves, quarters, ... down to single items, front to back.
template <class Remove>
void remove_ranges(Candidates& candidates, std::size_t size, Remove remove) {
  for (std::size_t count = size; count > 0; count /= 2) {
    for (std::size_t from = 0; from + count <= size; from += count) {
      candidates.with([&](Scenario& scenario) { remove(scenario, from, count); });
    }
  }
}

template <class Item>
void remove_ranges(Candidates& candidates, std::vector<Item> Scenario::* list, std::size_t size) {
  remove_ranges(candidates, size, [list](Scenario& scenario, std::size_t from, std::size_t count) {
    forms::erase(scenario.*list, from, count);
  });
}

template <class Value>
void reset_setting(Candidates& candidates, Value Scenario::* setting) {
  candidates.with([setting](Scenario& scenario) { scenario.*setting = Scenario().*setting; });
}

void reset_settings(Candidates& candidates) {
  reset_setting(candidates, &Scenario::mode);
  reset_setting(candidates, &Scenario::accept);
  reset_setting(candidates, &Scenario::handovers);
  reset_setting(candidates, &Scenario::claiming);
  reset_setting(candidates, &Scenario::descriptor_limit);
  reset_setting(candidates, &Scenario::socket_buffer);
  reset_setting(candidates, &Scenario::turns);
  reset_setting(candidates, &Scenario::connect_timeout);
  reset_setting(candidates, &Scenario::transfer_timeout);
  reset_setting(candidates, &Scenario::hang_up_timeout);
  candidates.with([](Scenario& scenario) { --scenario.handovers; });
}

/// To zero, to half.
template <class Item, class Value>
void lower(Candidates& candidates, std::vector<Item> Scenario::* list, std::size_t at, Value Item::* value) {
  candidates.with([=](Scenario& scenario) { (scenario.*list)[at].*value = 0; });
  candidates.with([=](Scenario& scenario) {
    Value& number = (scenario.*list)[at].*value;
    number = static_cast<Value>(number / 2);
  });
}

void lower_values(Candidates& candidates, const Scenario& scenario) {
  for (std::size_t at = 0; at < scenario.entries.size(); ++at) {
    lower(candidates, &Scenario::entries, at, &Entry::value);
    lower(candidates, &Scenario::entries, at, &Entry::offset);
    lower(candidates, &Scenario::entries, at, &Entry::id);
    lower(candidates, &Scenario::entries, at, &Entry::flags);
    lower(candidates, &Scenario::entries, at, &Entry::seals);
    candidates.with([at](Scenario& changed) { changed.entries[at].name.length /= 2; });
  }
  for (std::size_t at = 0; at < scenario.events.size(); ++at) {
    lower(candidates, &Scenario::events, at, &Event::call);
    lower(candidates, &Scenario::events, at, &Event::times);
    lower(candidates, &Scenario::events, at, &Event::handover);
    lower(candidates, &Scenario::events, at, &Event::operand);
  }
  for (std::size_t at = 0; at < scenario.devices.size(); ++at) {
    lower(candidates, &Scenario::devices, at, &Device::devid);
    lower(candidates, &Scenario::devices, at, &Device::ioas_id);
    lower(candidates, &Scenario::devices, at, &Device::hwpt_id);
  }
}

}  // namespace

std::uint64_t weight(const Scenario& scenario) {
  std::uint64_t sum = weigh_config(scenario);
  for (const Entry& entry : scenario.entries) sum += weigh(entry);
  for (const Event& event : scenario.events) sum += weigh(event);
  for (const Device& device : scenario.devices) sum += weigh(device);
  for (std::uint16_t claim : scenario.claims) sum += kItem + magnitude(claim);
  return sum;
}

std::vector<Scenario> shrink_candidates(const Scenario& scenario) {
  Candidates candidates(scenario);
  remove_ranges(candidates, scenario.entries.size(), remove_entries);
  remove_ranges(candidates, &Scenario::events, scenario.events.size());
  remove_ranges(candidates, &Scenario::devices, scenario.devices.size());
  remove_ranges(candidates, &Scenario::claims, scenario.claims.size());
  reset_settings(candidates);
  lower_values(candidates, scenario);
  return candidates.take();
}

}  // namespace vcpr::scenario
