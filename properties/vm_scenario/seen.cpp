#include "properties/vm_scenario/seen.hpp"

#include <array>
#include <utility>

namespace vcpr::vm_scenario {

namespace {

constexpr std::size_t kPhases = Seen::kNoSource + 1;
constexpr std::size_t kPlaces = kPhases + Seen::kNoTarget + 1;

/// One function a place and action: an edge for whoever instruments them.
template <std::size_t Number>
[[gnu::noinline]] void pass() {
  asm volatile("" ::"i"(Number));
}

using Pass = void (*)();
template <std::size_t... Number>
constexpr std::array<Pass, sizeof...(Number)> make_table(std::index_sequence<Number...>) {
  return {&pass<Number>...};
}
constexpr auto kTable = make_table(std::make_index_sequence<std::size_t{kPlaces} * kActions>());

}  // namespace

void mark(const Seen& seen) {
  const auto action = static_cast<std::size_t>(seen.action);
  kTable[std::size_t{seen.source_phase} * kActions + action]();
  kTable[(kPhases + seen.target_step) * kActions + action]();
}

}  // namespace vcpr::vm_scenario
