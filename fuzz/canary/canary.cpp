// Proves nothing: dies of any input that begins with "x", so that those who report deaths can be seen to do it.
#include <cstdlib>

#include "fuzz/target.hpp"

namespace {

using namespace vcpr;

void invariant_first_byte_is_not_x(std::span<const std::uint8_t> input) {
  if (!input.empty() && input.front() == 'x') std::abort();
}

fuzz::Ran run(std::span<const std::uint8_t> input, const fuzz::Explain* /*explain*/) {
  invariant_first_byte_is_not_x(input);
  return input.size();
}

VCPR_FUZZ_TARGET(canary, "nothing: it must fail, so that reports of failures can be tested", run)

}  // namespace
