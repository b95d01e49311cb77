// IOMMU groups, who owns their DMA, and where it goes (drivers/iommu/iommu.c).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/address_space.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct GroupFile;
struct IovaChange;
struct Pins;
struct VfioDevice;

/// What a device's addresses mean: a type1 container, or the HWPT a group is attached to.
class DmaDomain {
 public:
  /// The page behind the I/O address, if it is mapped with that right.
  virtual std::optional<PagePlace> translate(std::uint64_t iova, bool write) const = 0;

 protected:
  ~DmaDomain() = default;
};

/// [start, last], inclusive: addresses no mapping of a group may touch.
struct ReservedRange {
  std::uint64_t start = 0;
  std::uint64_t last = 0;
};
/// The window of the x86 MSI doorbells, reserved for every physical device.
inline constexpr ReservedRange kMsiWindow{0xfee0'0000, 0xfeef'ffff};
/// What an Intel IOMMU of 39 bits translates: [0, kLastIova].
inline constexpr std::uint64_t kLastIova = (std::uint64_t{1} << 39) - 1;

struct IommuGroup {
  std::uint32_t number = 0;
  bool is_emulated = false;       ///< of mdev-like devices: pages are pinned by the driver, not at map time
  GroupFile* opened = nullptr;    ///< its one open file, until the last reference of that is gone
  const void* owner = nullptr;    ///< who claimed its DMA: a container's group or an iommufd; null: nobody
  DmaDomain* domain = nullptr;    ///< null: blocked, or the host's own
  VfioDevice* devices = nullptr;  ///< linked by next_in_group
  IommuGroup* next = nullptr;
};

/// Null when no group has this number.
IommuGroup* find_group(Machine::Impl& machine, std::uint32_t number);

/// A change of an I/O address space, for the truth: as many facts as `pins` has pieces of memory, one without.
void record_change(Machine::Impl& machine, IovaChange change, const Pins& pins);

/// One access of a device to memory. False, with nothing transferred beyond the first page that fails, where the
/// domain does not translate; a fact for the truth.
bool dma_read(Machine::Impl& machine, VfioDevice& device, std::uint64_t iova, std::span<std::byte> bytes);
bool dma_write(Machine::Impl& machine, VfioDevice& device, std::uint64_t iova, std::span<const std::byte> bytes);

}  // namespace vcpr::machine
