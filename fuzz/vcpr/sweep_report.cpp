#include "fuzz/vcpr/sweep_report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fmt/core.h>
#include <fstream>
#include <sstream>
#include <unistd.h>
#include <vector>

#include "fuzz/vcpr/states_table.hpp"
#include "properties/forms/candidates.hpp"

namespace vcpr::tool {

namespace {

using vm_scenario::Action;
using vm_scenario::Scenario;

/// Scenarios tried to make a finding smaller.
constexpr std::uint32_t kTries = 600;
/// Of a crash, which may be a hang.
constexpr std::uint32_t kCrashTries = 40;
constexpr std::size_t kBarWidth = 30;

/// What disturbances() makes happen.
constexpr std::array kActions{Action::raise,    Action::complete_dma, Action::hold,      Action::release,
                              Action::take,     Action::end,          Action::mask,      Action::unmask,
                              Action::disable,  Action::enable,       Action::fault,     Action::kill_old,
                              Action::kill_new, Action::cancel_old,   Action::cancel_new};

/// Breaks the same promise, and is an input that can be explained.
Scenario make_smaller(const Scenario& scenario, const std::string& invariant) {
  const std::uint32_t tries = invariant == kCrash ? kCrashTries : kTries;
  return forms::shrink(scenario, tries, [&](const Scenario& candidate) {
    return !target_of(candidate).empty() && verdict(candidate) == invariant;
  });
}

std::string indented(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += "    " + line + '\n';
  return out;
}

}  // namespace

SweepReport::SweepReport(std::filesystem::path out, std::uint64_t total)
    : out_(std::move(out)), total_(total), on_terminal_(isatty(STDOUT_FILENO) == 1) {}

double SweepReport::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void SweepReport::clear_bar() const {
  if (on_terminal_) fmt::print("\r\x1b[K");
}

void SweepReport::draw_bar() const {
  if (!on_terminal_) return;
  const std::uint64_t done = tally_.scenarios();
  const std::size_t filled = total_ == 0 ? kBarWidth : std::min<std::size_t>(kBarWidth, done * kBarWidth / total_);
  const double speed = static_cast<double>(tally_.handovers() - before_) / std::max(seconds(), 0.001);
  fmt::print("\r\x1b[K[{}{}] {}/{} scenarios, {:.0f} handovers/s, {} findings", std::string(filled, '#'),
             std::string(kBarWidth - filled, '.'), done, total_, speed, scenarios_.size());
  std::fflush(stdout);
}

void SweepReport::begin() {
  before_ = tally_.handovers();
  start_ = std::chrono::steady_clock::now();
}

void SweepReport::chunk(const sweeps::Tally& tally) {
  tally_.add(tally);
  draw_bar();
}

void SweepReport::part_done(const SweepPart& part) {
  if (on_terminal_) return;
  fmt::print("{:<52} {:>6} scenarios, {:>4} calls\n", part.canonical.name, part.scenarios, part.calls.size());
  std::fflush(stdout);
}

void SweepReport::complain(const std::string& what) {
  clear_bar();
  std::fflush(stdout);
  fmt::print(stderr, "vcpr: {}\n", what);
}

std::filesystem::path SweepReport::save(const SweepFinding& finding, std::string_view target, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(out_, error);
  const std::string name = finding.invariant + '-' + std::to_string(++saved_[finding.invariant]) + ".txt";
  std::filesystem::path path = out_ / name;
  std::ofstream file(path, std::ios::trunc);
  file << "# " << finding.numbers << ' ' << finding.invariant << ", at " << finding.place << "\n# " << finding.what
       << "\n# vcpr explain " << target << ' ' << path.string() << '\n'
       << text;
  if (!file.flush()) complain(path.string() + " cannot be written");
  return path;
}

void SweepReport::finding(const SweepPart& part, const SweepFinding& finding) {
  if (known_[{finding.invariant, finding.place}]++ != 0) return;
  const std::vector<Scenario> all = scenarios(part);
  if (finding.scenario >= all.size()) return;
  const Scenario smaller = make_smaller(all[finding.scenario], finding.invariant);
  const std::string_view target = target_of(smaller);
  const std::string text = vm_scenario::print(smaller);
  if (!scenarios_.emplace(finding.invariant, text).second) return;  // another place, the same cause
  const std::filesystem::path path = save(finding, target, text);
  clear_bar();
  fmt::print("{} {}, at {}: {}\n  {}, scenario {}; smaller, vcpr explain {} {}:\n{}", finding.numbers,
             finding.invariant, finding.place, finding.what, part.canonical.name, finding.scenario, target,
             path.string(), indented(text));
  std::fflush(stdout);
}

void SweepReport::close() {
  clear_bar();
  print_states(tally_, kActions);
  const std::uint64_t made = tally_.handovers() - before_;
  fmt::print("{} scenarios, {} handovers ({} of them now, {:.0f}/s), {} findings\n", tally_.scenarios(),
             tally_.handovers(), made, static_cast<double>(made) / std::max(seconds(), 0.001), scenarios_.size());
}

}  // namespace vcpr::tool
