#include "engine/vfio/vm.hpp"

#include <algorithm>

#include "engine/vfio/device.hpp"
#include "engine/vfio/group.hpp"
#include "engine/vfio/iommufd.hpp"
#include "engine/vfio/iommufd_container.hpp"
#include "engine/vfio/type1_container.hpp"

namespace vcpr::vfio {

Vm::Vm(lifecycle::Life& of, memory::AddressMap& map, kvm::Vm* with, kvm::InterruptSink& sink)
    : life(of), memory(map), kvm(with), interrupts(sink) {}

Vm::~Vm() {
  if (kvm_notifier) life.participants.remove(*kvm_notifier);
}

bool Vm::may_change() const {
  return life.check_ours("devices").has_value();
}

namespace {

bool has_device(const Iommufd& iommufd, std::string_view name) {
  return std::ranges::any_of(iommufd.containers, [&](const auto& container) {
    return std::ranges::any_of(container->devices(), [&](const Device* device) { return device->name() == name; });
  });
}

}  // namespace

Expected<void> Vm::check_records() const {
  for (const store::DeviceRecords::Record record : life.cpr.devices) {
    const bool taken =
        std::ranges::any_of(iommufds, [&](const auto& iommufd) { return has_device(*iommufd, record.device); });
    if (!taken) return refuse(ErrorCode::unclaimed, {"record of ", quoted(record.device), ": no device of this name"});
  }
  return {};
}

}  // namespace vcpr::vfio
