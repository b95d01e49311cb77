// What a sweep has seen: how often which event met which phase, and how the handover ended.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "properties/vm_scenario/run.hpp"

namespace vcpr::sweeps {

/// How often an attempt ended so, by vm_scenario::Ending.
using Endings = std::array<std::uint64_t, 3>;

/// One place of one side, one event.
struct Row {
  std::string_view side;   ///< "old", "new"
  std::string_view phase;  ///< handover::Phase or TargetStep; "none": there is nobody
  std::string_view event;
  Endings endings{};
};

class Tally {
 public:
  void add(const vm_scenario::Outcome& outcome);
  void add(const Tally& other);
  std::uint64_t scenarios() const { return scenarios_; }
  std::uint64_t handovers() const { return handovers_; }

  /// Phase by phase, event by event; `actions`: those that the sweep makes happen.
  std::vector<Row> rows(std::span<const vm_scenario::Action> actions) const;

  /// Lines "ran SCENARIOS HANDOVERS" and "seen SIDE PHASE ACTION GIVEN KEPT LOST", in numbers.
  std::string text() const;
  /// Adds what one such line says; false: it is none.
  bool read(std::string_view line);

 private:
  static constexpr std::size_t kOldPhases = 13;  ///< handover::Phase, and none
  static constexpr std::size_t kNewPhases = 10;  ///< handover::TargetStep, and none
  static constexpr std::size_t kPhases = kOldPhases + kNewPhases;
  static std::string_view phase_name(std::size_t phase);

  std::uint64_t scenarios_ = 0;
  std::uint64_t handovers_ = 0;
  std::array<std::array<Endings, vm_scenario::kActions>, kPhases> seen_{};
};

/// "saving, receiving_state": where both sides were.
std::string place(const vm_scenario::Seen& seen);

}  // namespace vcpr::sweeps
