#include "properties/machine/iommufd/fault_queue.hpp"

#include "engine/os/abi.hpp"
#include "properties/machine/iommufd/handlers.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

os::Result<int> FaultFile::ioctl(Context&, Description&, std::uint64_t, void*) {
  return std::unexpected(Errno::enotty);
}

os::Result<std::size_t> FaultFile::read(Context&, Description&, std::span<std::byte> buffer, std::uint64_t) {
  if (buffer.size() % sizeof(abi::iommu_hwpt_pgfault) != 0) return std::unexpected(Errno::espipe);
  return 0;
}

os::Result<std::size_t> FaultFile::write(Context&, Description&, std::span<const std::byte> bytes, std::uint64_t) {
  if (bytes.size() % sizeof(abi::iommu_hwpt_page_response) != 0) return std::unexpected(Errno::espipe);
  if (!bytes.empty()) return std::unexpected(Errno::einval);  // no fault waits for this answer
  return 0;
}

void FaultFile::released(Machine::Impl& machine, Description& file) {
  file.object = nullptr;
  --queue_.users;
  release(machine, iommufd_);
  machine.arena.destroy(this);
}

os::Result<void> fault_queue_alloc(Command& command, abi::iommu_fault_alloc& argument) {
  if (argument.flags != 0) return std::unexpected(Errno::eopnotsupp);
  Context& context = command.context;
  if (context.fires(FaultPoint::ioctl_fault_queue_emfile) || !context.has_free_number())
    return std::unexpected(Errno::emfile);
  Machine::Impl& machine = context.machine;
  auto* queue = machine.arena.make<FaultQueue>();
  command.iommufd.objects.insert(*queue);
  Description& file = make_description(machine, FileKind::anonymous, abi::o_rdwr);
  file.link = "anon_inode:[iommufd-pgfault]";
  file.object = machine.arena.make<FaultFile>(*queue, command.file);
  acquire(command.file);
  queue->users = 1;
  const auto fd = context.install(file, true);
  if (!fd) return std::unexpected(fd.error());
  argument.out_fault_id = queue->id;
  argument.out_fault_fd = static_cast<std::uint32_t>(*fd);
  return command.respond(argument);
}

}  // namespace vcpr::machine
