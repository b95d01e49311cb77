#include <array>

#include "properties/vm_scenario/scenario.hpp"

namespace vcpr::vm_scenario {

namespace {

template <class Enum, std::size_t N>
std::string_view pick(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

constexpr std::array<std::string_view, kFeatures> kFeatureNames{
    "kvm",      "exclusive_irqfds", "update_vaddr", "unmap_all", "dirty_tracking", "change_process",
    "map_file", "device_cdev",      "dynamic_msix", "ipc_lock"};

}  // namespace

std::string_view name(Feature feature) {
  return pick(kFeatureNames, feature);
}
std::string_view name(machine::DeviceModel model) {
  return pick(std::array<std::string_view, kModels>{"edu", "igb", "nic"}, model);
}
std::string_view name(whole_vm::Backend backend) {
  return pick(std::array<std::string_view, 2>{"legacy", "iommufd"}, backend);
}
std::string_view name(whole_vm::Interrupt interrupt) {
  return pick(std::array<std::string_view, 3>{"intx", "msi", "msix"}, interrupt);
}

}  // namespace vcpr::vm_scenario
