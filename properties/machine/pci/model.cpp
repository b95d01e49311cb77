#include "properties/machine/pci/model.hpp"

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kKiB = 1024;
constexpr std::array<Bar, kBars> kNetworkBars{Bar{128 * kKiB}, Bar{128 * kKiB}, Bar{32, false}, Bar{16 * kKiB}};
constexpr std::array<Bar, kBars> kWideNetworkBars{Bar{128 * kKiB}, Bar{128 * kKiB}, Bar{32, false},
                                                  Bar{16 * kKiB, true, true}};

// As QEMU's devices of these names present themselves to their host.
constexpr PciModel kEdu{
    .vendor = 0x1234, .device = 0x11e8, .class_and_revision = 0x00ff'0010, .bars = {Bar{1024 * kKiB}}, .msi = 0x40};
constexpr PciModel kIgb{.vendor = 0x8086,
                        .device = 0x10c9,
                        .class_and_revision = 0x0200'0001,
                        .bars = kWideNetworkBars,
                        .power = 0x40,
                        .msi = 0x50,
                        .msi_masks = true,
                        .msix = 0x70,
                        .msix_vectors = 10,
                        .msix_bar = 3,
                        .express = 0xa0,
                        .can_reset = true};
constexpr PciModel kNic{.vendor = 0x8086,
                        .device = 0x10d3,
                        .class_and_revision = 0x0200'0000,
                        .bars = kNetworkBars,
                        .power = 0xc8,
                        .msi = 0xd0,
                        .msix = 0xa0,
                        .msix_vectors = 5,
                        .msix_bar = 3,
                        .express = 0xe0,
                        .can_reset = true};
/// The registers of an edu behind a driver that emulates the function.
constexpr PciModel kMediated{.vendor = 0x4348,
                             .device = 0x3253,
                             .class_and_revision = 0x0700'0210,
                             .bars = {Bar{1024 * kKiB}},
                             .msi = 0x40,
                             .can_reset = true};

/// Laid out as an NVMe controller with as many vectors as there can be.
constexpr PciModel kManyVectors{.vendor = 0x1234,
                                .device = 0x4d58,
                                .class_and_revision = 0x0108'0000,
                                .bars = {Bar{16 * kKiB}, Bar{}, Bar{64 * kKiB}},
                                .msix = 0x40,
                                .msix_vectors = kMaxVectors,
                                .msix_bar = 2,
                                .pending_bits = 0x8000,
                                .express = 0x60,
                                .can_reset = true};

}  // namespace

const PciModel& model_of(DeviceModel model) {
  switch (model) {
    case DeviceModel::edu:
      return kEdu;
    case DeviceModel::igb:
      return kIgb;
    case DeviceModel::nic:
      return kNic;
    case DeviceModel::many_vectors:
      return kManyVectors;
    case DeviceModel::mediated:
      break;
  }
  return kMediated;
}

}  // namespace vcpr::machine
