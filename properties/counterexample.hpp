// What a property that fails leaves behind: the scenario that was played, made smaller, as a file of corpus/.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <span>
#include <string>

#include "properties/forked/children.hpp"
#include "properties/forms/candidates.hpp"
#include "properties/scenario/run.hpp"
#include "properties/vm_scenario/run.hpp"

namespace vcpr::properties {

using Bytes = std::span<const std::uint8_t>;

/// A scenario while it is looked at: when an exception leaves the scope, which is how RapidCheck's assertions fail, its
/// text is written to counterexample.TEST.txt in the working directory. RapidCheck goes on with smaller ones: the last
/// that failed stays. One whose process dies is written by watched(). Only one is looked at at a time.
class LookedAt {
 public:
  /// What can be done with the bytes of a scenario of its model.
  struct Ways {
    std::string (*text)(Bytes);
    /// The text of the smallest one found that kills the process that plays it.
    std::string (*smallest_deadly)(Bytes);
  };
  LookedAt(Bytes bytes, Ways ways);
  ~LookedAt();
  LookedAt(const LookedAt&) = delete;
  LookedAt& operator=(const LookedAt&) = delete;

 private:
  int exceptions_;
};

/// Runs tests in a process of its own and returns its exit code. When it dies over a scenario, the smallest that kills
/// one too is written where LookedAt writes, and 1 is returned.
int watched(const std::function<int()>& tests);

template <class Scenario>
struct Run;

template <>
struct Run<scenario::Scenario> {
  static scenario::Scenario decode(Bytes bytes) { return scenario::decode(bytes); }
  scenario::Outcome operator()(const scenario::Scenario& scenario) const { return run(scenario); }
};

template <>
struct Run<vm_scenario::Scenario> {
  static vm_scenario::Scenario decode(Bytes bytes) { return vm_scenario::decode(bytes); }
  vm_scenario::Outcome operator()(const vm_scenario::Scenario& scenario) const { return run(scenario); }
};

/// Scenarios tried to make a deadly one smaller, each in a process of its own.
inline constexpr std::uint32_t kDeadlyTries = 400;

/// A scenario that was played, for as long as the property asks about its outcome. A violation fails the property.
template <class Scenario, class Play = Run<Scenario>>
class Played {
 public:
  explicit Played(const Scenario& scenario)
      : looked_at_(encode(scenario), {text, smallest_deadly}), outcome_(Play{}(scenario)) {
    if (outcome_.violation) RC_FAIL(invariants::text(*outcome_.violation));
  }
  const auto* operator->() const { return &outcome_; }

 private:
  static std::string text(Bytes bytes) { return print(Play::decode(bytes)); }
  static std::string smallest_deadly(Bytes bytes) {
    return print(forms::shrink(Play::decode(bytes), kDeadlyTries, [](const Scenario& candidate) {
      return forked::do_alone([&](forked::Progress&) { return (void)Play{}(candidate), std::string(); }).signal != 0;
    }));
  }

  LookedAt looked_at_;
  std::invoke_result_t<Play, const Scenario&> outcome_;
};

}  // namespace vcpr::properties
