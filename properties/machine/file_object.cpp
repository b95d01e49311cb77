#include "properties/machine/file_object.hpp"

namespace vcpr::machine {

using os::Errno;

os::Result<std::size_t> FileObject::read(Context&, Description&, std::span<std::byte>, std::uint64_t) {
  return std::unexpected(Errno::einval);
}
os::Result<std::size_t> FileObject::write(Context&, Description&, std::span<const std::byte>, std::uint64_t) {
  return std::unexpected(Errno::einval);
}
os::Result<void> FileObject::mmap(Context&, Description&, Mapping&) {
  return std::unexpected(Errno::enodev);
}
KvmVm** FileObject::kvm_link() {
  return nullptr;
}
GroupBacking* FileObject::group_backing() {
  return nullptr;
}

}  // namespace vcpr::machine
