#include "fuzz/target.hpp"

#include <algorithm>

namespace vcpr::fuzz {
namespace {

// Filled before main() by the registrations, constant from then on.
std::vector<const Target*>& registry() {
  static std::vector<const Target*> list;
  return list;
}

}  // namespace

Registration::Registration(const Target& target) {
  auto& list = registry();
  list.insert(std::ranges::upper_bound(list, target.name, {}, &Target::name), &target);
}

std::span<const Target* const> targets() {
  return registry();
}

const Target* find_target(std::string_view name) {
  const auto list = targets();
  const auto found = std::ranges::find(list, name, &Target::name);
  return found == list.end() ? nullptr : *found;
}

}  // namespace vcpr::fuzz
