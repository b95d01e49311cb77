// What is connected to what in a machine now: DMA mappings, interrupt triggers, irqfds, devices and groups.
//
// Lists made for invariants and for the hash, in an order that depends on the calls made only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

/// One mapping of a type1 container or an IOAS, or one piece of it: a piece lies in one memory.
struct MappingFact {
  std::uint32_t space = 0;  ///< as in IovaChange
  std::uint64_t iova = 0;
  std::uint64_t size = 0;  ///< bytes
  bool may_read = false;   ///< by the device
  bool may_write = false;
  bool is_pinned = false;    ///< a device reaches these pages; without, the next two are where they would be looked up
  std::uint64_t memory = 0;  ///< inode; 0: not looked up yet
  std::uint64_t page = 0;    ///< index of the first page in the memory
  bool is_file = false;      ///< IOAS_MAP_FILE: has no vaddr
  std::uint64_t vaddr = 0;   ///< in `owner`
  bool vaddr_valid = true;   ///< type1: false from UNMAP to MAP with the VADDR flag
  Process* owner = nullptr;  ///< who is charged, and whose vaddr it is
  bool owner_alive = true;   ///< false once it died or execed
};

/// One eventfd that a device signals.
struct TriggerFact {
  std::uint32_t device = 0;  ///< N of vfioN
  std::uint32_t index = 0;   ///< of VFIO_DEVICE_SET_IRQS
  std::uint32_t vector = 0;
  std::uint32_t eventfd = 0;  ///< description
  bool operator==(const TriggerFact&) const = default;
};

struct IrqfdFact {
  std::uint32_t vm = 0;  ///< description of the VM's file
  Process* owner = nullptr;
  std::uint32_t eventfd = 0;  ///< description
  std::uint32_t gsi = 0;
  std::uint32_t resample = 0;  ///< description of the resamplefd; 0: none
  bool operator==(const IrqfdFact&) const = default;
};

struct DeviceFact {
  std::uint32_t number = 0;  ///< N of vfioN
  std::string_view name;
  std::uint32_t group = 0;
  std::uint32_t open_files = 0;
  bool intx_masked = false;         ///< by VFIO
  bool intx_disabled = false;       ///< DisINTx of the guest
  std::uint32_t intx_unmask = 0;    ///< description of the unmask eventfd; 0: none
  std::uint16_t command = 0;        ///< as VFIO shows it
  std::uint32_t iommufd = 0;        ///< description; 0: not bound, and no ids
  std::uint32_t devid = 0;          ///< in that iommufd, as the next two
  std::uint32_t attached_hwpt = 0;  ///< 0: not attached
  std::uint32_t attached_ioas = 0;
};

/// One that was made by IOMMU_HWPT_ALLOC.
struct PageTableFact {
  std::uint32_t iommufd = 0;  ///< description
  std::uint32_t id = 0;       ///< in that iommufd
  std::uint32_t devices = 0;  ///< that are attached to it
};

struct GroupFact {
  std::uint32_t number = 0;
  std::uint32_t container = 0;  ///< description of the container or iommufd; 0: none, or its last descriptor is closed
  std::uint32_t type1_space = 0;  ///< as in IovaChange; 0: no IOMMU driver
};

struct PageFact {
  std::uint64_t memory = 0;  ///< inode
  std::uint64_t page = 0;    ///< index in the memory
  bool operator==(const PageFact&) const = default;
};

/// By space, then by iova.
std::vector<MappingFact> mappings(const Machine::Impl& machine);
/// By device, index and vector.
std::vector<TriggerFact> triggers(const Machine::Impl& machine);
/// By VM in the order they were made, then in the order of assignment.
std::vector<IrqfdFact> irqfds(const Machine::Impl& machine);
/// Whether a VM that this process made has any.
bool has_irqfds(const Machine::Impl& machine, const Process& process);
/// Whether a type1 container has a mapping between UNMAP and MAP with the VADDR flag.
bool has_invalid_vaddrs(const Machine::Impl& machine);
std::vector<DeviceFact> devices(const Machine::Impl& machine);
std::vector<GroupFact> groups(const Machine::Impl& machine);
/// By iommufd, then by id.
std::vector<PageTableFact> page_tables(const Machine::Impl& machine);
/// The page behind an address of a process; none where nothing is mapped, or a private page was never touched.
std::optional<PageFact> page_behind(Process& process, std::uint64_t vaddr);

}  // namespace vcpr::machine
