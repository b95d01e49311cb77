// Hands real VMs over between real processes, under load; one line a trial, counts in the last line.
//
//   handover_guest VCPR [--only TEXT]        TEXT: part of a trial's name
//
// Trials with devices need them bound to vfio-pci (ci/real-kernel --handover); what cannot run here is skipped.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <unistd.h>

#include "properties/handover/trial.hpp"

namespace {

using namespace vcpr::live;

constexpr BoardUse kEduMsi{Model::edu, Interrupt::msi, 1};
constexpr BoardUse kEduIntx{Model::edu, Interrupt::intx, 1};
constexpr BoardUse kIgb3{Model::igb, Interrupt::msix, 3};
constexpr BoardUse kIgb8{Model::igb, Interrupt::msix, 8};
constexpr BoardUse kIgbIntx{Model::igb, Interrupt::intx, 1};

void add_modes(std::vector<Trial>& trials, const Trial& trial) {
  for (Mode mode : {Mode::transfer, Mode::exec}) {
    trials.push_back(trial);
    trials.back().hops = {mode};
  }
}

void add_failures(std::vector<Trial>& trials, Trial trial) {
  trial.hops = {Mode::transfer, Mode::exec};
  for (const char* step :
       {"receiving_table", "building", "listening", "checking", "taking_over", "taken_over", "stop", "program"}) {
    trial.failure = step;
    trials.push_back(trial);
  }
}

std::vector<Trial> all_trials() {
  std::vector<Trial> trials;
  for (bool kvm : {false, true}) {
    add_modes(trials, {.boards = {}, .kvm = kvm, .hops = {}, .failure = {}});
    trials.push_back(
        {.boards = {}, .kvm = kvm, .hops = {Mode::transfer, Mode::exec, Mode::exec, Mode::transfer}, .failure = {}});
    add_failures(trials, {.boards = {}, .kvm = kvm, .hops = {}, .failure = {}});
  }
  for (bool iommufd : {false, true}) {
    for (Rhythm rhythm : {Rhythm::exact, Rhythm::bursts})
      for (const BoardUse& use : {kEduMsi, kEduIntx, kIgb3, kIgb8, kIgbIntx})
        add_modes(trials, {.boards = {use}, .iommufd = iommufd, .hops = {}, .rhythm = rhythm, .failure = {}});
    for (const auto& boards : {std::vector{kEduMsi, kIgb8}, std::vector{kEduIntx, kIgbIntx}}) {
      trials.push_back(
          {.boards = boards, .iommufd = iommufd, .hops = {Mode::transfer, Mode::exec, Mode::transfer}, .failure = {}});
      add_failures(trials, {.boards = boards, .iommufd = iommufd, .hops = {}, .failure = {}});
    }
  }
  return trials;
}

/// Null when it can run here.
const char* what_is_missing(const Trial& trial) {
  if (trial.kvm && ::access("/dev/kvm", R_OK | W_OK) != 0) return "no /dev/kvm";
  if (trial.iommufd && ::access("/dev/iommu", R_OK | W_OK) != 0) return "no /dev/iommu";
  for (const BoardUse& use : trial.boards)
    if (find_boards(use.model).empty()) return "no such device bound to vfio-pci";
  return nullptr;
}

}  // namespace

int main(int count, char** arguments) {
  const bool is_narrowed = count == 4 && std::strcmp(arguments[2], "--only") == 0;
  if (count != 2 && !is_narrowed) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  Figures figures;
  int passed = 0;
  int failed = 0;
  int skipped = 0;
  for (const Trial& trial : all_trials()) {
    const std::string name = trial.name();
    if (is_narrowed && name.find(arguments[3]) == std::string::npos) continue;
    if (const char* const missing = what_is_missing(trial); missing != nullptr) {
      ++skipped;
      std::printf("skipped %s: %s\n", name.c_str(), missing);
      continue;
    }
    const Verdict verdict = run(trial, arguments[1], figures);
    ++(verdict.failure.empty() ? passed : failed);
    std::printf("%s %s%s%s\n", verdict.failure.empty() ? "passed " : "FAILED ", name.c_str(),
                verdict.failure.empty() ? "" : ": ", verdict.failure.c_str());
    if (!verdict.remarks.empty()) std::printf("  %s\n", verdict.remarks.c_str());
  }
  std::printf("%s%d passed, %d failed, %d skipped\n", figures.table().c_str(), passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}
