// Runs every conformance case on the Linux it finds itself on, one line a case, counts in the last line.
//
//   conformance_guest [--case ID] [--operations N] [--seed N]
//
// --operations: plays random device sequences until that many calls were made on both worlds, from the seed on.
// Each case has a process of its own: what it leaves behind ends with it, and one that hangs is ended.
// `conformance_guest ID REPORT_FD` is the image that a case becomes by execve.
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <unistd.h>

#include "properties/conformance/case.hpp"
#include "properties/conformance/device_sequence.hpp"
#include "properties/conformance/linux_world.hpp"

namespace {

using namespace vcpr::conformance;

constexpr unsigned kPatienceSeconds = 30;  // for a case

struct Options {
  std::string_view only;
  std::uint64_t operations = 0;
  std::uint64_t seed = 1;
};

struct Counts {
  int passed = 0;
  int failed = 0;
  int skipped = 0;
};

bool parse_number(const char* text, std::uint64_t& value) {
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  return rest == end && error == std::errc{};
}

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; i += 2) {
    const std::string_view option = arguments[i];
    if (i + 1 == count) return false;
    if (option == "--case")
      options.only = arguments[i + 1];
    else if (option == "--operations" && parse_number(arguments[i + 1], options.operations))
      continue;
    else if (option != "--seed" || !parse_number(arguments[i + 1], options.seed))
      return false;
  }
  return true;
}

void print_case(const Case& each, std::string_view verdict) {
  std::printf("%.*s %.*s: %.*s\n", static_cast<int>(verdict.size()), verdict.data(), static_cast<int>(each.id.size()),
              each.id.data(), static_cast<int>(each.what.size()), each.what.data());
}

void run_one(const Case& each, Counts& counts) {
  const auto world = linux_world("/proc/self/exe");
  if (!world->has(each.needs)) {
    ++counts.skipped;
    print_case(each, "skipped");
    return std::printf("  no %s\n", std::string(name(each.needs)).c_str()), void();
  }
  Report report;
  world->in_child(
      [&](World& child, Report& of_child) {
        ::alarm(kPatienceSeconds);
        of_child = run_case(each, child);
      },
      report);
  const bool clean = report.failures().empty();
  ++(clean ? counts.passed : counts.failed);
  print_case(each, clean ? "passed " : "FAILED ");
  for (const std::string& failure : report.failures()) std::printf("  %s\n", failure.c_str());
}

constexpr std::size_t kCalls = 100;  // of a sequence
constexpr int kMostDifferences = 3;  // of a theme that are worth reading

const char* theme_name(std::size_t theme) {
  return name(static_cast<DeviceTheme>(theme)).data();
}

/// Every kind of call must have come off on this Linux, or its players agree on nothing but refusals. Few calls prove
/// nothing either way.
void report_ops(const Options& options, const DeviceOpCounts& ops, Counts& counts) {
  constexpr std::uint64_t kEnough = 20'000;
  std::printf("%s", ops.table().c_str());
  if (options.operations < kEnough) return;
  const bool all = ops.futile().empty();
  ++(all ? counts.passed : counts.failed);
  std::printf("%s kinds of calls: each succeeded at least once\n%s", all ? "passed " : "FAILED ", ops.futile().c_str());
}

/// Sequences from the seed on until their calls are as many as asked for; a theme passes when its sides agree.
void run_sequences(const Options& options, Counts& counts) {
  std::array<int, kDeviceThemes> differences{};
  std::array<std::uint64_t, kDeviceThemes> calls{};
  DeviceOpCounts ops;
  for (std::uint64_t done = 0, seed = options.seed; done < options.operations; done += kCalls, ++seed) {
    const DeviceSequence sequence = generate_device_sequence(seed, kCalls);
    const auto theme = static_cast<std::size_t>(sequence.theme);
    calls[theme] += kCalls;
    const DeviceDifference sides = compare_device_sequence(sequence);
    ops.add(sequence, sides.real);
    if (sides.call == kCalls || ++differences[theme] > kMostDifferences) continue;
    std::printf("  %s differ at seed %llu, shrunk:\n%s", theme_name(theme), static_cast<unsigned long long>(seed),
                explain_device_difference(sequence, sides).c_str());
  }
  for (std::size_t theme = 0; theme < kDeviceThemes; ++theme) {
    if (calls[theme] == 0) continue;
    ++(differences[theme] == 0 ? counts.passed : counts.failed);
    std::printf("%s %s: %llu random calls from seed %llu on, %d sequences of %zu differ\n",
                differences[theme] == 0 ? "passed " : "FAILED ", theme_name(theme),
                static_cast<unsigned long long>(calls[theme]), static_cast<unsigned long long>(options.seed),
                differences[theme], kCalls);
  }
  report_ops(options, ops, counts);
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t report_fd = 0;
  if (count == 3 && find_case(arguments[1]) != nullptr && parse_number(arguments[2], report_fd))
    return carry_on_after_exec(arguments[1], static_cast<int>(report_fd));
  Options options;
  if (!parse(count, arguments, options)) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  Counts counts;
  for (const Case* each : all_cases())
    if (options.only.empty() || each->id == options.only) run_one(*each, counts);
  if (options.operations != 0) run_sequences(options, counts);
  std::printf("%d passed, %d failed, %d skipped\n", counts.passed, counts.failed, counts.skipped);
  return counts.failed == 0 ? 0 : 1;
}
