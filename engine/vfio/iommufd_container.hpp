// One I/O address space of an iommufd, and the page tables that devices share in it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/vfio/container.hpp"
#include "engine/vfio/iommufd.hpp"

namespace vcpr::vfio {

class Device;

class IommufdContainer final : public Container {
 public:
  /// Attaches the bound device to the first address space of the iommufd that takes it, or to a new one, and fills in
  /// its ids. Incoming: its ids say where it is; no call attaches or allocates. On error it is attached to nothing.
  static Expected<IommufdContainer*> attach(Iommufd& iommufd, Device& device);
  /// Detaches the device, and with the last one of each destroys page table and address space. Does all it can,
  /// returns the first error.
  static Expected<void> detach(IommufdContainer& container, Device& device);
  ~IommufdContainer() override;

  Iommufd& iommufd() const { return iommufd_; }
  std::uint32_t ioas_id() const { return ioas_id_; }
  std::span<Device* const> devices() const { return devices_; }

  // Steps of a handover (vfio_cpr_iommufd.cpp registers them)
  /// New side: hears of every range; the kernel, which has the mappings, is not asked.
  Expected<void> take_over_mappings();
  /// New side: forgets them.
  void forget_mappings();

  VFIOContainerCPR cpr;

 protected:
  Expected<bool> map(DmaMapping& mapping) override;
  Expected<void> unmap(const DmaMapping& mapping) override;
  /// Nothing: a mapping of a file has no vaddr.
  Expected<void> restore(DmaMapping&) override { return {}; }

 private:
  /// A page table; 0 devices: gone.
  struct Hwpt {
    std::uint32_t id;
    std::size_t devices;
  };

  IommufdContainer(Iommufd& iommufd, std::uint32_t ioas)
      : Container(iommufd.vm().memory), iommufd_(iommufd), ioas_id_(ioas) {}
  static Expected<IommufdContainer*> create(Iommufd& iommufd, Device& device);
  static Expected<IommufdContainer*> find_arrived(Iommufd& iommufd, Device& device);
  Expected<void> start();
  Expected<void> attach_to_hwpt(Device& device);
  Expected<void> attach_to_new_hwpt(Device& device);
  Expected<void> adopt_hwpt(Device& device);
  Expected<void> detach_from_hwpt(Device& device);
  static Expected<void> drop(IommufdContainer& container, const Device& device);
  Expected<void> map_private(const DmaMapping& mapping);
  Expected<void> block_cpr();

  Iommufd& iommufd_;
  std::uint32_t ioas_id_;
  std::vector<Hwpt> hwpts_;
  std::vector<Device*> devices_;
  std::size_t private_mappings_ = 0;  ///< not of a file: nobody else can have them
  /// take_over_mappings is under way: the kernel has the mappings already.
  bool adopting_ = false;
};

}  // namespace vcpr::vfio
