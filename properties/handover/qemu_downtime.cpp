#include "properties/handover/qemu_downtime.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <x86intrin.h>

#include "properties/handover/figures.hpp"

namespace vcpr::live {

namespace {

/// Of the one vCPU of the VM that a process made last (arch/x86/kvm/debugfs.c).
std::optional<std::int64_t> tsc_offset(pid_t process) {
  std::error_code absent;
  for (const auto& vm : std::filesystem::directory_iterator("/sys/kernel/debug/kvm", absent)) {
    if (!vm.path().filename().string().starts_with(std::to_string(process) + "-")) continue;
    std::int64_t offset = 0;
    if (std::ifstream(vm.path() / "vcpu0/tsc-offset") >> offset) return offset;
  }
  return std::nullopt;
}

}  // namespace

QemuDowntime::QemuDowntime(GuestRam& ram, pid_t old)
    : ram_(ram), old_offset_(tsc_offset(old)), cycles_at_start_(__rdtsc()), start_(Clock::now()) {}

void QemuDowntime::mark() {
  if (!old_offset_) return;
  last_ = static_cast<std::int64_t>(ram_.last_beat()) - *old_offset_;
  ram_.forget_last_beat();
  ram_.forget_gap();
}

long QemuDowntime::measure(pid_t young) const {
  const auto offset = tsc_offset(young);
  if (!last_ || !offset) return kNoTime;
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start_);
  const double cycles_a_microsecond =
      static_cast<double>(__rdtsc() - cycles_at_start_) / static_cast<double>(passed.count());
  const std::int64_t first = static_cast<std::int64_t>(ram_.gap()) - *offset;
  return static_cast<long>(static_cast<double>(first - *last_) / cycles_a_microsecond);
}

}  // namespace vcpr::live
