#include "fuzz/vcpr/sweep_work.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <sstream>
#include <utility>

#include "properties/vm_scenario/focus.hpp"

namespace vcpr::tool {

namespace {

using vm_scenario::Focus;
using vm_scenario::Scenario;

constexpr std::string_view kFinding = "finding";
constexpr char kSeparator = '\t';

/// The calls of its only attempt.
std::vector<machine::FaultSet> calls_of(const Scenario& scenario) {
  const forked::Ended ended = forked::do_alone([&](forked::Progress&) {
    const vm_scenario::Outcome outcome = vm_scenario::run(scenario);
    std::string lines;
    if (!outcome.calls.empty()) {
      for (const machine::FaultSet& call : outcome.calls.front()) lines += call.to_string() + '\n';
    }
    return lines;
  });
  std::vector<machine::FaultSet> calls;
  std::istringstream lines(ended.output);
  for (std::string line; std::getline(lines, line);) calls.emplace_back(line);
  return calls;
}

/// One line, whatever was in it.
std::string without_breaks(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == kSeparator; }, ' ');
  return text;
}

}  // namespace

SweepPart prepare(sweeps::Canonical canonical, std::size_t pairs, std::uint64_t seed) {
  SweepPart part{.canonical = std::move(canonical), .calls = {}, .pairs = pairs, .seed = seed};
  part.calls = calls_of(part.canonical.scenario);
  const std::size_t singles = sweeps::disturbances(part.canonical, part.calls).size();
  part.scenarios = 1 + singles + (singles != 0 ? pairs : 0);
  return part;
}

std::vector<Scenario> scenarios(const SweepPart& part) {
  std::vector<Scenario> all{part.canonical.scenario};
  const std::vector<sweeps::Disturbance> events = sweeps::disturbances(part.canonical, part.calls);
  for (const sweeps::Disturbance& each : events) all.push_back(sweeps::disturbed(part.canonical, std::span(&each, 1)));
  for (Scenario& each : sweeps::pairs(part.canonical, events, part.pairs, part.seed)) all.push_back(std::move(each));
  return all;
}

std::string text(const SweepFinding& finding) {
  std::string line(kFinding);
  for (const std::string& word :
       {std::to_string(finding.scenario), finding.invariant, finding.numbers, finding.place, finding.what})
    (line += kSeparator) += without_breaks(word);
  return line + '\n';
}

std::optional<SweepFinding> parse_finding(std::string_view line) {
  std::array<std::string, 6> words;
  for (std::string& word : words) {
    const std::size_t end = std::min(line.find(kSeparator), line.size());
    word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  SweepFinding finding{0, words[2], words[3], words[4], words[5]};
  const std::string& number = words[1];
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), finding.scenario);
  if (words[0] != kFinding || error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return finding;
}

SweepFinding crash(std::size_t scenario, int signal) {
  return {scenario, std::string(kCrash), "", "an unknown place",
          std::string("wanted: an end; found: ") + strsignal(signal)};
}

std::string try_chunk(const std::vector<Scenario>& all, std::size_t chunk, const std::set<std::size_t>& left_out,
                      forked::Progress& progress) {
  sweeps::Tally tally;
  std::string findings;
  std::set<std::pair<std::string, std::string>> known;
  const std::size_t end = std::min(all.size(), (chunk + 1) * kChunk);
  for (std::size_t at = chunk * kChunk; at < end; ++at) {
    if (left_out.contains(at)) continue;
    forked::begin_piece(progress, at);
    const auto found = sweeps::try_out(all[at], tally);
    if (!found || !known.emplace(found->violation.name, found->place).second) continue;
    const invariants::Violation& violation = found->violation;
    findings += text({at, std::string(violation.name), std::string(violation.invariant), found->place,
                      "wanted: " + violation.wanted + "; found: " + violation.found});
  }
  return tally.text() + findings;
}

std::string verdict(const Scenario& scenario) {
  const forked::Ended ended = forked::do_alone([&](forked::Progress&) {
    const vm_scenario::Outcome outcome = vm_scenario::run(scenario);
    return outcome.violation ? std::string(outcome.violation->name) : std::string();
  });
  return ended.signal != 0 ? std::string(kCrash) : ended.output;
}

std::string_view target_of(const Scenario& scenario) {
  constexpr std::array<std::pair<Focus, std::string_view>, 4> kTargets{{{Focus::transfer, "handover_transfer"},
                                                                        {Focus::exec, "handover_exec"},
                                                                        {Focus::reboot, "handover_reboot"},
                                                                        {Focus::chain, "handover_chain"}}};
  for (const auto& [focus, target] : kTargets) {
    Scenario narrowed = scenario;
    vm_scenario::narrow(narrowed, focus);
    if (narrowed == scenario) return target;
  }
  return {};
}

}  // namespace vcpr::tool
