#include "fuzz/vcpr/sweep_run.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/sweep_report.hpp"
#include "fuzz/vcpr/sweep_state.hpp"
#include "fuzz/vcpr/sweep_work.hpp"

namespace vcpr::tool {

namespace {

/// Crashes of one chunk after which the rest of it is left.
constexpr std::size_t kMostCrashes = 4;

class Sweep {
 public:
  Sweep(const SweepOptions& options, std::vector<SweepPart> parts, SweepState state);
  int run();

 private:
  /// Which chunk of which part.
  struct Place {
    std::size_t part = 0;
    std::size_t chunk = 0;
    auto operator<=>(const Place&) const = default;
  };
  static std::uint64_t tag(const Place& place) { return std::uint64_t{place.part} << 32 | place.chunk; }
  static Place place(std::uint64_t tag) { return {tag >> 32, tag & 0xffffffff}; }

  void take_up();
  void start(const Place& place, const std::vector<vm_scenario::Scenario>& all);
  void take(const forked::Ended& ended);
  void take_lines(const Place& place, const std::string& lines);
  void crashed(const Place& place, const forked::Ended& ended);

  const SweepOptions& options_;
  std::vector<SweepPart> parts_;
  SweepState state_;
  SweepReport report_;
  forked::Children children_;
  std::map<Place, std::map<std::size_t, int>> crashes_;  ///< scenario and signal
  std::deque<Place> again_;
  std::vector<std::size_t> left_;  ///< chunks of each part
  bool broken_ = false;            ///< not everything could be tried or kept
};

std::uint64_t sum(const std::vector<SweepPart>& parts) {
  std::uint64_t all = 0;
  for (const SweepPart& each : parts) all += each.scenarios;
  return all;
}

Sweep::Sweep(const SweepOptions& options, std::vector<SweepPart> parts, SweepState state)
    : options_(options),
      parts_(std::move(parts)),
      state_(std::move(state)),
      report_(options.out, sum(parts_)),
      children_(options.jobs) {
  for (const SweepPart& each : parts_) left_.push_back(each.chunks());
}

/// What a run before has done.
void Sweep::take_up() {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    for (const ChunkResult& each : state_.done()) {
      if (each.part == parts_[part].canonical.name && each.scenarios == parts_[part].scenarios)
        take_lines({part, each.chunk}, each.lines);
    }
  }
  report_.begin();
}

void Sweep::start(const Place& place, const std::vector<vm_scenario::Scenario>& all) {
  while (children_.is_full()) take(children_.wait());
  std::set<std::size_t> left_out;
  for (const auto& [scenario, signal] : crashes_[place]) left_out.insert(scenario);
  const bool started = children_.start(
      tag(place), [&](forked::Progress& progress) { return try_chunk(all, place.chunk, left_out, progress); });
  if (started) return;
  report_.complain("no process for " + parts_[place.part].canonical.name);
  broken_ = true;
}

void Sweep::take_lines(const Place& place, const std::string& lines) {
  const SweepPart& part = parts_[place.part];
  sweeps::Tally tally;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    if (const auto finding = parse_finding(line)) {
      report_.finding(part, *finding);
    } else if (!tally.read(line)) {
      report_.complain("cannot read \"" + line + '"');
      broken_ = true;
    }
  }
  report_.chunk(tally);
  if (--left_[place.part] == 0) report_.part_done(part);
}

/// The rest of its chunk is tried without it.
void Sweep::crashed(const Place& place, const forked::Ended& ended) {
  std::map<std::size_t, int>& of_chunk = crashes_[place];
  report_.finding(parts_[place.part], crash(ended.at, ended.signal));
  if (of_chunk.emplace(ended.at, ended.signal).second && of_chunk.size() < kMostCrashes) return again_.push_back(place);
  report_.complain("left the rest of a chunk of " + parts_[place.part].canonical.name + " with many crashes");
  broken_ = true;
}

void Sweep::take(const forked::Ended& ended) {
  const Place where = place(ended.tag);
  if (ended.signal != 0) return crashed(where, ended);
  const SweepPart& part = parts_[where.part];
  std::string lines = ended.output;
  for (const auto& [scenario, signal] : crashes_[where]) lines += text(crash(scenario, signal));
  if (!state_.add({part.canonical.name, where.chunk, part.scenarios, lines})) {
    report_.complain(options_.resume.string() + " cannot be written");
    broken_ = true;
  }
  take_lines(where, lines);
}

int Sweep::run() {
  take_up();
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    if (left_[part] == 0) continue;
    const std::vector<vm_scenario::Scenario> all = scenarios(parts_[part]);
    for (std::size_t chunk = 0; chunk < parts_[part].chunks(); ++chunk) {
      if (!state_.is_done(parts_[part].canonical.name, chunk, parts_[part].scenarios)) start({part, chunk}, all);
    }
  }
  while (children_.working() != 0 || !again_.empty()) {
    if (children_.working() != 0) {
      take(children_.wait());
      continue;
    }
    const Place next = again_.front();
    again_.pop_front();
    start(next, scenarios(parts_[next.part]));
  }
  report_.close();
  return report_.findings() != 0 || broken_ ? kRefused : kDone;
}

}  // namespace

std::vector<sweeps::Canonical> chosen_canonical(const std::vector<std::string>& names) {
  std::vector<sweeps::Canonical> all = sweeps::canonical();
  if (names.empty()) return all;
  const auto is_chosen = [](const sweeps::Canonical& each, const std::string& name) {
    return each.name == name || each.name.starts_with(name + '.');
  };
  for (const std::string& name : names) {
    if (std::ranges::none_of(all, [&](const auto& each) { return is_chosen(each, name); })) return {};
  }
  std::erase_if(all, [&](const sweeps::Canonical& each) {
    return std::ranges::none_of(names, [&](const std::string& name) { return is_chosen(each, name); });
  });
  return all;
}

int run_sweep(const SweepOptions& options) {
  std::vector<sweeps::Canonical> chosen = chosen_canonical(options.names);
  if (chosen.empty()) return complain(kMisuse, "no such canonical handover: see vcpr sweep --list");
  auto state = SweepState::open(options.resume, "vcpr sweep 1, pairs " + std::to_string(options.pairs) + ", seed " +
                                                    std::to_string(options.seed));
  if (!state) return complain(kMisuse, state.error());
  std::vector<SweepPart> parts;
  for (sweeps::Canonical& each : chosen) parts.push_back(prepare(std::move(each), options.pairs, options.seed));
  return Sweep(options, std::move(parts), std::move(*state)).run();
}

}  // namespace vcpr::tool
