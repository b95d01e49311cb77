// Proves that a handover of the table, whatever happens meanwhile, ends with every invariant holding.
#include <algorithm>

#include "fuzz/target.hpp"
#include "properties/scenario/run.hpp"

namespace {

using namespace vcpr;

fuzz::Ran run(std::span<const std::uint8_t> input, const fuzz::Explain* explain) {
  const scenario::Outcome outcome = scenario::run(scenario::decode(input), explain);
  if (explain) {
    for (const std::string& ending : outcome.endings) (*explain)("attempt ends: " + ending);
  }
  if (outcome.violation) invariants::report(*outcome.violation);
  return outcome.hash;
}

/// The bytes of a scenario, if they fit.
std::size_t write(const scenario::Scenario& scenario, std::span<std::uint8_t> to) {
  const std::vector<std::uint8_t> bytes = scenario::encode(scenario);
  if (bytes.size() > to.size()) return 0;
  std::ranges::copy(bytes, to.begin());
  return bytes.size();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t capacity, fuzz::Draw draw) {
  scenario::Scenario scenario = scenario::decode({data, size});
  scenario::mutate(scenario, draw.seed);
  return write(scenario, {data, capacity});
}

std::size_t cross_over(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right,
                       std::span<std::uint8_t> child, std::uint32_t seed) {
  return write(scenario::cross_over(scenario::decode(left), scenario::decode(right), seed), child);
}

std::string print(std::span<const std::uint8_t> input) {
  return scenario::print(scenario::decode(input));
}

std::expected<fuzz::Bytes, std::string> parse(std::string_view text) {
  auto scenario = scenario::parse(text);
  if (!scenario) return std::unexpected(scenario.error().message());
  return scenario::encode(*scenario);
}

VCPR_FUZZ_TARGET(table_handover, "a handover of the table ends with every invariant holding, whatever happens", run,
                 mutate, print, parse, cross_over)

}  // namespace
