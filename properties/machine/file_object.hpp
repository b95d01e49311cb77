// What an open device node or an anonymous VFIO, iommufd or KVM file stands for: one class per kind of file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

struct Context;
struct Description;
class GroupBacking;
struct KvmVm;
struct Mapping;

/// Lives in the arena, made when the file is opened. Handlers get the description they were called through.
class FileObject {
 public:
  /// `argument` is the caller's own memory: read and written through caller_memory.hpp only.
  virtual os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) = 0;
  /// Positioned access (config space, BARs); EINVAL where the file has none.
  virtual os::Result<std::size_t> read(Context& context, Description& file, std::span<std::byte> buffer,
                                       std::uint64_t offset);
  virtual os::Result<std::size_t> write(Context& context, Description& file, std::span<const std::byte> bytes,
                                        std::uint64_t offset);
  /// Fills in memory, offset and rights of a mapping whose range and protection are set. ENODEV where there is none.
  virtual os::Result<void> mmap(Context& context, Description& file, Mapping& mapping);
  /// Not null in a file that KVM-VFIO takes: the VM, if any, that its device has from its next first open on.
  virtual KvmVm** kvm_link();
  /// Not null in a file that VFIO_GROUP_SET_CONTAINER takes: a container or an iommufd.
  virtual GroupBacking* group_backing();
  /// The last reference of the file is gone. References this object holds on others go here.
  virtual void released(Machine::Impl& machine, Description& file) = 0;

 protected:
  ~FileObject() = default;
};

}  // namespace vcpr::machine
