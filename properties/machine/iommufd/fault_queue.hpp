// I/O page faults that wait for user space (drivers/iommu/iommufd/eventq.c). No device here has PRI, so none comes.
#pragma once

#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

/// Used by its open file and by HWPTs.
struct FaultQueue final : IommufdObject {
  FaultQueue() : IommufdObject(ObjectKind::fault) {}
};

/// The file of a queue; holds the queue and the iommufd.
class FaultFile final : public FileObject {
 public:
  FaultFile(FaultQueue& of, Description& iommufd) : queue_(of), iommufd_(iommufd) {}

  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  os::Result<std::size_t> read(Context& context, Description& file, std::span<std::byte> buffer,
                               std::uint64_t offset) override;
  os::Result<std::size_t> write(Context& context, Description& file, std::span<const std::byte> bytes,
                                std::uint64_t offset) override;
  void released(Machine::Impl& machine, Description& file) override;

 private:
  FaultQueue& queue_;
  Description& iommufd_;
};

}  // namespace vcpr::machine
