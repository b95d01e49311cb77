// Proves nothing: the empty target, the floor that ci/bench measures the others against.
#include "fuzz/target.hpp"

namespace {

vcpr::fuzz::Ran run(std::span<const std::uint8_t> input, const vcpr::fuzz::Explain* /*explain*/) {
  return input.size();
}

VCPR_FUZZ_TARGET(empty, "Nothing: it is the floor that speed is measured against.", run)

}  // namespace
