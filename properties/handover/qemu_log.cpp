#include "properties/handover/qemu_log.hpp"

#include <cstdlib>
#include <optional>
#include <string_view>

namespace vcpr::live {

namespace {

// Names of QEMU's trace events, with the arguments that tell them apart
constexpr std::string_view kRequested = "migrate_set_state new state setup";
constexpr std::string_view kLettingGo = "migration_call_notifiers type=0";  // the notifiers of MIG_EVENT_SETUP
constexpr std::string_view kStopping = "new_state 7 (finish-migrate)";
constexpr std::string_view kStopped = "migration_completion_vm_stop";
constexpr std::string_view kSaving = "savevm_state_header";
constexpr std::string_view kExec = "cpr_exec";
constexpr std::string_view kStarted = "cpr_state_load";
constexpr std::string_view kReceived = "qemu_file_get_fd";
constexpr std::string_view kListening = "migrate_set_state new state setup";
constexpr std::string_view kLoading = "loadvm_state_setup";
constexpr std::string_view kFirstOfVfio = "vfio-cpr-pci";
constexpr std::string_view kFirstOfIommufd = "(iommufd)";
constexpr std::string_view kLoaded = "qemu_loadvm_state_post_main";
constexpr std::string_view kRunning = "migrate_set_state new state completed";

/// Microseconds of the day: of the line of the log in which something was found.
std::optional<long> time_at(const std::string& log, std::size_t found) {
  if (found == std::string::npos) return std::nullopt;
  const std::size_t begin = log.rfind('\n', found) + 1;  // npos + 1 is 0
  const auto number = [&](std::size_t column) { return std::strtol(log.c_str() + begin + column, nullptr, 10); };
  // 2026-11-23T03:45:50.842480Z
  if (log.size() - begin < 27 || log[begin + 10] != 'T' || log[begin + 19] != '.') return std::nullopt;
  return ((number(11) * 60 + number(14)) * 60 + number(17)) * 1'000'000 + number(20);
}

std::optional<long> when(const std::string& log, std::string_view event) {
  return time_at(log, log.find(event));
}

long between(std::optional<long> from, std::optional<long> to) {
  return from && to ? *to - *from : kNoTime;
}

}  // namespace

std::vector<std::string> qemu_log_arguments() {
  std::vector<std::string> words{"-msg", "timestamp=on"};
  for (const char* event :
       {"migrate_set_state", "migration_call_notifiers", "runstate_set", "migration_completion_vm_stop",
        "savevm_state_header", "cpr_exec", "cpr_state_load", "qemu_file_get_fd", "loadvm_state_setup",
        "qemu_loadvm_state_section_startfull", "qemu_loadvm_state_post_main"})
    words.insert(words.end(), {"-trace", event});
  return words;
}

std::string after_exec(const std::string& log) {
  const std::size_t exec = log.find(kExec);
  return exec == std::string::npos ? "" : log.substr(log.find('\n', exec) + 1);
}

bool has_loaded(const std::string& new_log) {
  return new_log.find(kLoaded) != std::string::npos;
}

bool has_taken_over(const std::string& new_log) {
  return new_log.find(kRunning) != std::string::npos;
}

Times qemu_times(const std::string& old_log, const std::string& new_log, bool by_exec, long downtime) {
  const auto requested = when(old_log, kRequested);
  const auto saving = when(old_log, kSaving);
  const auto started = when(new_log, kStarted);
  const auto building = by_exec ? started : time_at(new_log, new_log.rfind(kReceived));
  const auto of_iommufd = when(new_log, kFirstOfIommufd);
  const auto devices = of_iommufd ? of_iommufd : when(new_log, kFirstOfVfio);
  const auto loaded = when(new_log, kLoaded);
  const auto running = when(new_log, kRunning);
  return {between(requested, running),
          downtime,
          by_exec ? kNoTime : between(requested, building),
          between(building, when(new_log, kListening)),
          between(when(old_log, kStopping), when(old_log, kStopped)),
          between(when(old_log, kLettingGo), when(old_log, kStopping)),
          by_exec ? between(saving, started) : kNoTime,
          between(by_exec ? when(new_log, kLoading) : saving, devices),
          between(devices, loaded),
          between(loaded, running)};
}

}  // namespace vcpr::live
