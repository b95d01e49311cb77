// GET_HW_INFO: what the IOMMU behind a device is (iommufd_get_hw_info, intel_iommu_hw_info).
#include <algorithm>
#include <array>

#include "properties/machine/iommufd/handlers.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint32_t kErrata772415 = 1;
/// An IOMMU of 39 bits in legacy mode with interrupt remapping, as QEMU's intel-iommu says it.
constexpr std::uint64_t kCapabilities = 0x00d2'008c'2226'0286;
constexpr std::uint64_t kExtendedCapabilities = 0x0000'0000'0000'0f5a;

/// As many bytes as there is room for, then zeros.
os::Result<void> write_info(Context& context, std::uint64_t address, std::uint32_t room) {
  const abi::iommu_hw_info_vtd info{kErrata772415, 0, kCapabilities, kExtendedCapabilities};
  auto* to = static_cast<std::byte*>(caller_pointer(address));
  const std::size_t filled = std::min<std::size_t>(room, sizeof info);
  if (auto done = copy_out(context, to, info, filled); !done) return done;
  const std::array<std::byte, kPageBytes> zeros{};
  for (std::size_t at = filled; at < room;) {
    const std::size_t piece = std::min<std::size_t>(room - at, zeros.size());
    if (auto done = copy_out(context, to + at, std::span(zeros).first(piece)); !done) return done;
    at += piece;
  }
  return {};
}

}  // namespace

os::Result<void> get_hw_info(Command& command, abi::iommu_hw_info& argument) {
  if ((argument.flags & ~abi::iommu_hw_info_flag_input_type) != 0) return std::unexpected(Errno::eopnotsupp);
  if (std::ranges::any_of(argument.reserved, [](std::uint8_t each) { return each != 0; }))
    return std::unexpected(Errno::eopnotsupp);
  const bool has_type = (argument.flags & abi::iommu_hw_info_flag_input_type) != 0;
  const std::uint32_t type = has_type ? argument.in_data_type : abi::iommu_hw_info_type_default;
  const IommufdObject* device = command.iommufd.objects.find(argument.dev_id);
  if (device == nullptr || device->kind != ObjectKind::device) return std::unexpected(Errno::enoent);
  if (type != abi::iommu_hw_info_type_default && type != abi::iommu_hw_info_type_intel_vtd)
    return std::unexpected(Errno::eopnotsupp);
  if (auto done = write_info(command.context, argument.data_uptr, argument.data_len); !done) return done;
  argument.out_data_type = abi::iommu_hw_info_type_intel_vtd;
  argument.data_len = sizeof(abi::iommu_hw_info_vtd);
  argument.out_capabilities = abi::iommu_hw_cap_pci_ats_not_supported;
  argument.out_max_pasid_log2 = 0;
  return command.respond(argument);
}

}  // namespace vcpr::machine
