#include "properties/whole_vm/shape.hpp"

#include <array>

namespace vcpr::whole_vm {

namespace {

constexpr std::array<std::string_view, kMaxDevices> kAddresses{"0000:00:05.0", "0000:00:06.0", "0000:00:07.0",
                                                               "0000:00:08.0"};

std::string_view name(machine::DeviceModel model) {
  switch (model) {
    case machine::DeviceModel::edu:
      return "edu";
    case machine::DeviceModel::igb:
      return "igb";
    case machine::DeviceModel::nic:
      return "nic";
    case machine::DeviceModel::mediated:
      return "mediated";
    case machine::DeviceModel::many_vectors:
      return "many_vectors";
  }
  return "";
}

std::string_view name(Interrupt kind) {
  return kind == Interrupt::intx ? "intx" : kind == Interrupt::msi ? "msi" : "msix";
}

}  // namespace

std::string_view host_address(std::uint32_t device) {
  return kAddresses[device];
}

std::string text(const Shape& shape) {
  std::string result;
  for (const DeviceShape& each : shape.devices) {
    if (!result.empty()) result += ", ";
    result += name(each.model);
    result += each.backend == Backend::legacy ? " legacy " : " iommufd ";
    result += name(each.kind);
    result += ' ' + std::to_string(each.vectors);
  }
  if (!shape.switches.irqfd_excludes_other_vms) result += ", shared eventfds";
  return result + (shape.kvm ? "" : ", without KVM");
}

}  // namespace vcpr::whole_vm
