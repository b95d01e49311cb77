// A conformance case: calls with the results the kernel contract promises, one definition for both sides.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "properties/conformance/world.hpp"

namespace vcpr::conformance {

/// What a call came to: its value, or minus the errno.
using Outcome = std::int64_t;
constexpr Outcome fails(os::Errno error) {
  return -static_cast<Outcome>(error);
}
std::string text_of(Outcome outcome);

inline Outcome outcome(const os::Result<void>& result) {
  return result ? 0 : fails(result.error());
}
/// 0 for an address: sides choose their own.
inline Outcome outcome(const os::Result<os::UserAddr>& result) {
  return result ? 0 : fails(result.error());
}
template <class Value>
Outcome outcome(const os::Result<Value>& result) {
  return result ? static_cast<Outcome>(*result) : fails(result.error());
}

/// Collects the steps that came out otherwise.
class Report {
 public:
  void expect(std::string_view step, Outcome got, Outcome wanted);
  template <class Value>
  void expect(std::string_view step, const os::Result<Value>& got, Outcome wanted) {
    expect(step, outcome(got), wanted);
  }
  void add(std::string failure) { failures_.push_back(std::move(failure)); }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  std::vector<std::string> failures_;
};

struct Case {
  std::string_view id;    ///< "E01": of the contract's table where it is one of them
  std::string_view what;  ///< the rule in a few words
  Feature needs = Feature::none;
  void (*run)(World& world, Report& report) = nullptr;
  void (*after_exec)(World& world, Report& report) = nullptr;  ///< in the new image of the same process
};

std::span<const Case> event_cases();
std::span<const Case> scm_cases();
std::span<const Case> socket_cases();
std::span<const Case> memfd_cases();
std::span<const Case> mapping_cases();
std::span<const Case> process_cases();
std::span<const Case> container_cases();
std::span<const Case> type1_cases();
std::span<const Case> device_cases();
std::span<const Case> interrupt_cases();
std::span<const Case> iommufd_cases();
std::span<const Case> iommufd_device_cases();
std::span<const Case> kvm_cases();
std::span<const Case> kvm_state_cases();
std::span<const Case> kvm_device_cases();

std::vector<const Case*> all_cases();
const Case* find_case(std::string_view id);
/// Runs a case on a side; the caller has asked for its feature.
Report run_case(const Case& each, World& world);

}  // namespace vcpr::conformance
