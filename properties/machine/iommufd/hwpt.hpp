// Hardware page tables: the domains of an IOAS that devices are attached to (drivers/iommu/iommufd/hw_pagetable.c).
#pragma once

#include "properties/machine/iommu.hpp"
#include "properties/machine/iommufd/ioas.hpp"
#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

struct FaultQueue;

/// A paging HWPT. Used by each attached device.
struct Hwpt final : IommufdObject, DmaDomain {
  explicit Hwpt(Ioas& of) : IommufdObject(ObjectKind::hwpt), ioas(of) {}

  std::optional<PagePlace> translate(std::uint64_t iova, bool write) const override;

  Ioas& ioas;
  bool is_automatic = false;     ///< made by ATTACH to an IOAS, gone with its last user
  FaultQueue* faults = nullptr;  ///< whose device it then cannot be attached to: none of them has PRI
  Hwpt* next_in_ioas = nullptr;
};

/// iommufd_hwpt_paging_alloc: with an id, filled with the IOAS. Errors of add_domain(); the id is free again then.
os::Result<Hwpt*> make_hwpt(Machine::Impl& machine, IommufdContext& iommufd, Ioas& ioas);
/// Gives back what it holds; it is out of the table.
void clear_hwpt(Machine::Impl& machine, Hwpt& hwpt);
/// One user less; an automatic one goes with its last (iommufd_hw_pagetable_put).
void put_hwpt(Machine::Impl& machine, IommufdContext& iommufd, Hwpt& hwpt);

}  // namespace vcpr::machine
