// Proves that the simulated machine answers any sequence of calls as Linux does: value by value, errno by errno.
#include <array>
#include <csignal>
#include <gtest/gtest.h>
#include <optional>

#include "properties/conformance/call_sequence.hpp"
#include "properties/conformance/device_sequence.hpp"
#include "properties/conformance/linux_world.hpp"

namespace vcpr::conformance {
namespace {

struct Difference {
  std::size_t step = 0;
  std::vector<std::string> simulated;
  std::vector<std::string> real;
};

std::optional<Difference> compare(const Sequence& sequence) {
  Difference sides;
  const auto real = linux_world({});
  const auto simulated = simulated_world(linux_is_privileged(), real->has(Feature::large_memfd_writes));
  sides.simulated = run_sequence(sequence, *simulated);
  sides.real = run_sequence(sequence, *real);
  for (; sides.step < sequence.size(); ++sides.step)
    if (sides.simulated[sides.step] != sides.real[sides.step]) return sides;
  return std::nullopt;
}

/// The sequence without every call that the difference does not need.
Sequence shrink(Sequence sequence) {
  sequence.resize(compare(sequence)->step + 1);
  for (std::size_t i = sequence.size(); i-- > 0;) {
    Sequence shorter = sequence;
    shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
    if (compare(shorter)) sequence = std::move(shorter);
  }
  return sequence;
}

std::string explain(const Sequence& sequence) {
  const auto difference = compare(sequence);
  std::string text;
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    text += print(sequence[i]) + " = " + difference->simulated[i];
    if (difference->simulated[i] != difference->real[i]) text += "   <-- Linux: " + difference->real[i];
    text += "\n";
  }
  return text;
}

// A seed is one sequence for ever: a failing one can be run alone.
constexpr std::uint64_t kSequences = 600;
constexpr std::size_t kSteps = 120;

/// Without this the comparison could agree on nothing but refusals.
TEST(Differential, SequencesReachTheSuccessOfEveryCall) {
  constexpr std::size_t kOps = static_cast<std::size_t>(Op::set_limit) + 1;
  std::array<std::uint32_t, kOps> succeeded{};
  for (std::uint64_t seed = 1; seed <= kSequences; ++seed) {
    const Sequence sequence = generate_sequence(seed, kSteps);
    const auto told = run_sequence(sequence, *simulated_world(true));
    for (std::size_t i = 0; i < sequence.size(); ++i)
      succeeded[static_cast<std::size_t>(sequence[i].op)] += told[i].front() != 'E' && told[i] != "fault";
  }
  constexpr std::uint32_t kOften = 30;
  for (std::size_t op = 0; op < kOps; ++op)
    EXPECT_GE(succeeded[op], kOften) << print({static_cast<Op>(op), 0, 0, 0, {}});
}

/// The same for the sequences that ci/real-kernel compares; sides other than this one are there.
TEST(Differential, DeviceSequencesReachTheSuccessOfEveryKindOfCall) {
  constexpr std::uint64_t kDeviceSequences = 200;
  constexpr std::size_t kDeviceSteps = 100;
  DeviceOpCounts counts;
  for (std::uint64_t seed = 1; seed <= kDeviceSequences; ++seed) {
    const DeviceSequence sequence = generate_device_sequence(seed, kDeviceSteps);
    counts.add(sequence, run_device_sequence(sequence, *simulated_world(true)));
  }
  EXPECT_EQ(counts.futile(), "") << counts.table();
}

TEST(Differential, RandomSequencesAreAnsweredAlike) {
  std::signal(SIGPIPE, SIG_IGN);
  if (!linux_world({})->has(Feature::exact_eventfd_write) || !linux_world({})->has(Feature::default_socket_buffer) ||
      !linux_world({})->has(Feature::mfd_exec_flags))
    GTEST_SKIP() << "this kernel differs from the modelled one in a known way";
  for (std::uint64_t seed = 1; seed <= kSequences; ++seed) {
    const Sequence sequence = generate_sequence(seed, kSteps);
    if (!compare(sequence)) continue;
    FAIL() << "seed " << seed << ", shrunk:\n" << explain(shrink(sequence));
  }
}

}  // namespace
}  // namespace vcpr::conformance
