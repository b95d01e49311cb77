// What a fuzz target is, and the list of those linked into this program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vcpr::fuzz {

/// Receives one line per step of a run that is being explained.
using Explain = std::function<void(std::string_view)>;

using Bytes = std::vector<std::uint8_t>;

/// Where a mutation begins to draw. Equal draws of equal inputs give equal mutants.
struct Draw {
  std::uint32_t seed = 0;   ///< of this mutation
  std::uint32_t swarm = 0;  ///< of the whole run of an engine: which kinds of change are likely in it (swarm testing)
};

/// What a run says of itself.
struct Ran {
  // Most targets have nothing but a hash to say.
  Ran(std::uint64_t of) : hash(of) {}  // NOLINT(google-explicit-constructor)
  Ran(std::uint64_t of, std::uint64_t attempts) : hash(of), handovers(attempts) {}
  std::uint64_t hash;
  std::uint64_t handovers = 0;  ///< of whole VMs, however they ended
};

/// One target. `run` never rejects an input: it returns normally, or a violation aborts in a function named after the
/// invariant.
struct Target {
  std::string_view name;
  std::string_view proves;  ///< one sentence
  /// Returns a hash over everything the run did (a target on the machine: Machine::hash()). Equal inputs give equal
  /// hashes, in one process or two: the replay main runs each input twice and fails where they differ. With `explain`
  /// set it tells what it does; what it does is the same.
  Ran (*run)(std::span<const std::uint8_t> input, const Explain* explain);
  /// Structure-aware mutation in place; returns the new size (0: let the engine's own mutations do it). Equal
  /// arguments give equal mutants.
  std::size_t (*mutate)(std::uint8_t* data, std::size_t size, std::size_t capacity, Draw draw) = nullptr;
  /// Text form of an input, where the input is a scenario; identity with parse.
  std::string (*print)(std::span<const std::uint8_t> input) = nullptr;
  /// Bytes of a text form, or what is wrong with it: line, and why. A target has both print and parse, or neither.
  std::expected<Bytes, std::string> (*parse)(std::string_view text) = nullptr;
  /// Writes a child of two inputs and returns its size (0: none that fits). Equal arguments give equal children.
  std::size_t (*cross_over)(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right,
                            std::span<std::uint8_t> child, std::uint32_t seed) = nullptr;
};

/// Where a target has cross_over, one mutation in about this many is one, whatever the engine.
inline constexpr std::uint32_t kCrossOverEvery = 5;

/// Registered by static objects, in order of name.
std::span<const Target* const> targets();
/// Null when no target has that name.
const Target* find_target(std::string_view name);

struct Registration {
  explicit Registration(const Target& target);
};

/// One per file in fuzz/targets/: VCPR_FUZZ_TARGET(cpr_state, "one sentence", run, mutate, print, parse, cross_over)
#define VCPR_FUZZ_TARGET(target_name, sentence, ...)                                 \
  namespace {                                                                        \
  const ::vcpr::fuzz::Target registered_target{#target_name, sentence, __VA_ARGS__}; \
  const ::vcpr::fuzz::Registration registration{registered_target};                  \
  }

}  // namespace vcpr::fuzz
