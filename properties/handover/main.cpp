// Hands real VMs over between real processes, under load; one line a trial, counts in the last line.
//
//   handover_guest VCPR [--only TEXT] [--real-qemu PROGRAM]
//
// TEXT: part of a trial's name. PROGRAM hands the same guest with the same device over, for its figures.
//
// Trials with devices need them bound to vfio-pci (ci/real-kernel --handover); what cannot run here is skipped.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <unistd.h>

#include "properties/handover/real_qemu.hpp"
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

struct Options {
  std::string only;
  std::string real_qemu;

  bool wants(const std::string& name) const { return name.find(only) != std::string::npos; }
};

std::optional<Options> read_options(int count, char** arguments) {
  Options options;
  if (count < 2 || count % 2 != 0) return std::nullopt;
  for (int i = 2; i < count; i += 2) {
    if (std::strcmp(arguments[i], "--only") == 0)
      options.only = arguments[i + 1];
    else if (std::strcmp(arguments[i], "--real-qemu") == 0)
      options.real_qemu = arguments[i + 1];
    else
      return std::nullopt;
  }
  return options;
}

struct Counts {
  int passed = 0, failed = 0, skipped = 0;
};

/// True when it passed.
bool tell(const std::string& name, const Verdict& verdict, const char* otherwise) {
  const bool has_passed = verdict.failure.empty();
  std::printf("%s %s%s%s\n", has_passed ? "passed " : otherwise, name.c_str(), has_passed ? "" : ": ",
              verdict.failure.c_str());
  if (!verdict.remarks.empty()) std::printf("  %s\n", verdict.remarks.c_str());
  return has_passed;
}

void run_ours(const Trial& trial, const std::string& vcpr, Figures& figures, Counts& counts) {
  if (const char* const missing = what_is_missing(trial); missing != nullptr) {
    ++counts.skipped;
    std::printf("skipped %s: %s\n", trial.name().c_str(), missing);
  } else {
    ++(tell(trial.name(), run(trial, vcpr, figures), "FAILED ") ? counts.passed : counts.failed);
  }
}

/// Compared with, not tested: what it cannot do is skipped, and the reason is said in one line. True when it could.
bool compare(const PeerTrial& trial, const std::string& program, Figures& figures, Counts& counts) {
  Verdict verdict = run_peer(trial, program, figures);
  std::ranges::replace(verdict.failure, '\n', ' ');
  const bool could = tell(trial.name(), verdict, "skipped");
  ++(could ? counts.passed : counts.skipped);
  return could;
}

/// Ours and a real QEMU's take turns: a busy host is as busy for both.
void compare_all(const Options& options, const std::string& vcpr, Figures& figures, Counts& counts) {
  constexpr int kTimes = 3;  // each takes seconds; the table shows the median
  for (bool iommufd : {false, true}) {
    for (Mode mode : {Mode::transfer, Mode::exec}) {
      const PeerTrial trial{.iommufd = iommufd, .mode = mode};
      bool goes_on = !options.real_qemu.empty() && options.wants(trial.name());
      for (int i = 0; goes_on && i < kTimes; ++i) {
        run_ours(trial.ours(), vcpr, figures, counts);
        goes_on = compare(trial, options.real_qemu, figures, counts);
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto options = read_options(count, arguments);
  if (!options) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  Figures figures;
  Counts counts;
  for (const Trial& trial : all_trials())
    if (options->wants(trial.name())) run_ours(trial, arguments[1], figures, counts);
  compare_all(*options, arguments[1], figures, counts);
  std::printf("%s%d passed, %d failed, %d skipped\n", figures.table().c_str(), counts.passed, counts.failed,
              counts.skipped);
  return counts.failed == 0 ? 0 : 1;
}
