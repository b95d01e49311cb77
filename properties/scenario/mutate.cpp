#include <algorithm>
#include <array>

#include "properties/forms/choice.hpp"
#include "properties/machine/fault.hpp"
#include "properties/scenario/parts.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

namespace {

using forms::Choice;

/// What the name of a family must refer to, so that most new entries are ones a table accepts.
Object fitting_object(NameKind kind, Choice& choice) {
  switch (kind) {
    case NameKind::ram:
    case NameKind::rom:
    case NameKind::empty:
    case NameKind::long_text:
      return Object::memfd;
    case NameKind::vfio_group:
      return Object::vfio_group;
    case NameKind::container:
      return choice.below(2) == 0 ? Object::vfio_container : Object::same_as;
    case NameKind::device:
      return Object::vfio_device;
    case NameKind::iommufd:
      return Object::iommufd;
    default:
      return Object::eventfd;
  }
}

/// Small numbers mostly, and the edges.
std::uint32_t number(Choice& choice) {
  constexpr std::array<std::uint32_t, 8> kEdges{0, 1, 2, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff};
  return choice.below(4) == 0 ? kEdges[choice.below(kEdges.size())] : choice.below(64);
}

Entry random_entry(Choice& choice) {
  Entry entry;
  entry.name.kind = static_cast<NameKind>(choice.below(8) == 0 ? choice.below(kNameKinds) : choice.below(12));
  entry.name.index = static_cast<std::uint8_t>(choice.below(kNameIndices));
  entry.name.length = static_cast<std::uint16_t>(choice.below(2) == 0 ? 1022 + choice.below(3) : choice.below(2048));
  entry.object = fitting_object(entry.name.kind, choice);
  if (choice.below(8) == 0) entry.object = static_cast<Object>(choice.below(kObjects));
  entry.id = static_cast<std::int32_t>(choice.below(3) == 0 ? number(choice) : choice.below(4));
  entry.value = number(choice);
  entry.offset = number(choice);
  entry.flags = static_cast<std::uint8_t>(choice.below(kAllFlags + 1u));
  entry.seals = choice.below(2) == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(choice.below(kAllSeals + 1u));
  return entry;
}

Event random_event(Choice& choice) {
  Event event;
  event.handover = static_cast<std::uint8_t>(choice.below(kMaxHandovers));
  event.action = choice.below(2) == 0 ? Action::fault : static_cast<Action>(choice.below(kActions));
  event.times = static_cast<std::uint8_t>(choice.below(4) == 0 ? choice.below(256) : 1);
  event.call = choice.below(4) == 0 ? choice.below(kMaxPinnedCall + 1u) : choice.below(64);
  event.operand =
      event.action == Action::advance ? choice.below(40'000'000) : static_cast<std::uint32_t>(choice.next());
  return event;
}

Device random_device(Choice& choice) {
  return {static_cast<std::uint8_t>(choice.below(kNameIndices)), static_cast<std::int32_t>(number(choice)),
          number(choice), number(choice)};
}

template <class Item>
void insert(std::vector<Item>& items, Item item, Choice& choice) {
  items.insert(items.begin() + choice.below(items.size() + 1), item);
}

template <class Item>
void erase_one(std::vector<Item>& items, Choice& choice) {
  if (!items.empty()) items.erase(items.begin() + choice.below(items.size()));
}

template <class Item>
void duplicate_one(std::vector<Item>& items, Choice& choice) {
  if (!items.empty()) insert(items, Item(items[choice.below(items.size())]), choice);
}

/// Flips one bit of one item's, or the configuration's, binary form: reaches every field with every value.
void flip_bit(Scenario& scenario, Choice& choice) {
  std::vector<std::uint8_t> bytes = encode(scenario);
  bytes[choice.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << choice.below(8));
  scenario = decode(bytes);
}

void change_config(Scenario& scenario, Choice& choice) {
  switch (choice.below(7)) {
    case 0:
      scenario.mode = static_cast<Mode>(choice.below(kModes));
      break;
    case 1:
      scenario.accept = static_cast<Accept>(choice.below(kAccepts));
      break;
    case 2:
      scenario.handovers = static_cast<std::uint8_t>(1 + choice.below(kMaxHandovers));
      break;
    case 3:
      scenario.descriptor_limit = static_cast<std::uint16_t>(8 + choice.below(64));
      break;
    case 4:
      scenario.socket_buffer = 256 + choice.below(4096);
      break;
    case 5:
      scenario.turns = static_cast<std::uint32_t>(choice.next());
      break;
    default:
      scenario.claiming = static_cast<Claiming>(choice.below(kClaimings));
  }
}

void edit(Scenario& scenario, Choice& choice) {
  switch (choice.below(12)) {
    case 0:
    case 1:
      return insert(scenario.entries, random_entry(choice), choice);
    case 2:
      return erase_one(scenario.entries, choice);
    case 3:
      return duplicate_one(scenario.entries, choice);
    case 4:
    case 5:
      return insert(scenario.events, random_event(choice), choice);
    case 6:
      return erase_one(scenario.events, choice);
    case 7:
      return insert(scenario.devices, random_device(choice), choice);
    case 8:
      return erase_one(scenario.devices, choice);
    case 9:
      return insert(scenario.claims, static_cast<std::uint16_t>(choice.next()), choice);
    case 10:
      return change_config(scenario, choice);
    default:
      return flip_bit(scenario, choice);
  }
}

/// A front of one list and a back of the other.
template <class Item>
void splice(std::vector<Item>& into, const std::vector<Item>& from, Choice& choice) {
  into.resize(choice.below(into.size() + 1));
  into.insert(into.end(), from.begin() + choice.below(from.size() + 1), from.end());
}

}  // namespace

void mutate(Scenario& scenario, std::uint32_t seed) {
  Choice choice(seed);
  for (std::uint32_t edits = 1 + choice.below(4); edits > 0; --edits) {
    edit(scenario, choice);
    normalise(scenario);
  }
}

Scenario cross_over(const Scenario& left, const Scenario& right, std::uint32_t seed) {
  Choice choice(seed);
  Scenario child = left;
  splice(child.entries, right.entries, choice);
  splice(child.devices, right.devices, choice);
  splice(child.claims, right.claims, choice);
  splice(child.events, right.events, choice);
  normalise(child);
  return child;
}

}  // namespace vcpr::scenario
