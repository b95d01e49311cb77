#include "properties/conformance/case.hpp"

#include <algorithm>

namespace vcpr::conformance {

std::string text_of(Outcome outcome) {
  constexpr Outcome kLastErrno = 4095;
  if (outcome < 0 && outcome >= -kLastErrno) return std::string(os::name(static_cast<os::Errno>(-outcome)));
  return std::to_string(outcome);
}

void Report::expect(std::string_view step, Outcome got, Outcome wanted) {
  if (got == wanted) return;
  std::string line(step);
  line += ": got " + text_of(got) + ", wanted " + text_of(wanted);
  failures_.push_back(std::move(line));
}

std::string_view name(Feature feature) {
  switch (feature) {
    case Feature::none:
      break;
    case Feature::exact_eventfd_write:
      return "an eventfd that refuses writes of more than 8 bytes";
    case Feature::mfd_exec_flags:
      return "MFD_EXEC and MFD_NOEXEC_SEAL with vm.memfd_noexec=0";
    case Feature::default_socket_buffer:
      return "net.core.wmem_default = 212992";
    case Feature::large_memfd_writes:
      return "memfds that are written 2 MiB at a time";
    case Feature::vfio_devices:
      return "two edu and an igb bound to vfio-pci (ci/real-kernel has them)";
    case Feature::iommufd:
      return "iommufd with VFIO devices as cdevs (ci/real-kernel has them)";
    case Feature::kvm:
      return "/dev/kvm";
  }
  return "nothing";
}

std::vector<const Case*> all_cases() {
  std::vector<const Case*> all;
  for (const auto& group : {event_cases(), scm_cases(), socket_cases(), memfd_cases(), mapping_cases(), process_cases(),
                            container_cases(), type1_cases(), device_cases(), interrupt_cases(), iommufd_cases(),
                            iommufd_device_cases(), kvm_cases(), kvm_state_cases(), kvm_device_cases()})
    for (const Case& each : group) all.push_back(&each);
  return all;
}

const Case* find_case(std::string_view id) {
  const auto all = all_cases();
  const auto found = std::ranges::find(all, id, &Case::id);
  return found == all.end() ? nullptr : *found;
}

Report run_case(const Case& each, World& world) {
  Report report;
  if (each.after_exec != nullptr)
    world.run_with_exec(each, report);
  else
    each.run(world, report);
  return report;
}

}  // namespace vcpr::conformance
