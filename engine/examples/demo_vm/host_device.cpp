#include "engine/examples/demo_vm/host_device.hpp"

#include <charconv>
#include <filesystem>

namespace vcpr::demo {

namespace {

namespace fs = std::filesystem;

/// "/dev/vfio/devices/vfio0", empty when there is none.
std::string cdev_of(const fs::path& device) {
  std::error_code error;
  for (const auto& each : fs::directory_iterator(device / "vfio-dev", error))
    return "/dev/vfio/devices/" + each.path().filename().string();
  return {};
}

}  // namespace

Expected<vfio::DeviceConfig> find_host_device(const std::string& address, bool iommufd) {
  const fs::path device = fs::path("/sys/bus/pci/devices") / address;
  std::error_code error;
  const std::string driver = fs::read_symlink(device / "driver", error).filename();
  if (driver != "vfio-pci") return refuse(ErrorCode::missing_key, {"device ", address, ": not bound to vfio-pci"});
  vfio::DeviceConfig config;
  config.name = address;
  const std::string group = fs::read_symlink(device / "iommu_group", error).filename();
  std::from_chars(group.data(), group.data() + group.size(), config.group);
  if (!iommufd) return config;
  config.iommufd = "iommufd0";
  config.cdev = cdev_of(device);
  if (config.cdev.empty()) return refuse(ErrorCode::missing_key, {"device ", address, ": no character device"});
  return config;
}

}  // namespace vcpr::demo
