// What a sweep says: how far it is, each finding once with a small scenario in a file, and the table at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "fuzz/vcpr/sweep_work.hpp"

namespace vcpr::tool {

class SweepReport {
 public:
  /// `out`: folder of the scenarios that are saved. `total`: scenarios there are.
  SweepReport(std::filesystem::path out, std::uint64_t total);

  /// What was taken over from a run before ends here.
  void begin();
  /// A chunk is done.
  void chunk(const sweeps::Tally& tally);
  void part_done(const SweepPart& part);
  /// One that was found before, of the same invariant at the same place, or that shrinks to the same, is only counted.
  void finding(const SweepPart& part, const SweepFinding& finding);
  void complain(const std::string& what);
  /// The table, what was never seen, and sums.
  void close();
  std::size_t findings() const { return scenarios_.size(); }

 private:
  void clear_bar() const;
  void draw_bar() const;
  double seconds() const;
  std::filesystem::path save(const SweepFinding& finding, std::string_view target, const std::string& text);

  std::filesystem::path out_;
  std::uint64_t total_;
  std::uint64_t before_ = 0;  ///< handovers that this run did not make
  bool on_terminal_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  sweeps::Tally tally_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> known_;  ///< invariant and place: how often
  std::set<std::pair<std::string, std::string>> scenarios_;             ///< invariant and smaller scenario
  std::map<std::string, int> saved_;                                    ///< files of an invariant
};

}  // namespace vcpr::tool
