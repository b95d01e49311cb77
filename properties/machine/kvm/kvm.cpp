#include "properties/machine/kvm/kvm.hpp"

#include "engine/os/abi/kvm.hpp"
#include "properties/machine/kvm/vm.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;
namespace request = os::abi::request;

namespace {

constexpr int kVcpuPages = 3;  // kvm_run, port I/O data, coalesced MMIO ring
constexpr int kPage = 4096;

class KvmFile final : public FileObject {
 public:
  os::Result<int> ioctl(Context& context, Description& file, std::uint64_t request, void* argument) override;
  void released(Machine::Impl& machine, Description& file) override;
};

/// kvm_dev_ioctl
os::Result<int> KvmFile::ioctl(Context& context, Description&, std::uint64_t request, void* argument) {
  const std::uint64_t value = reinterpret_cast<std::uintptr_t>(argument);
  context.machine.trace.word(value);
  switch (static_cast<std::uint32_t>(request)) {
    case request::kvm_get_api_version:
      if (value != 0) return std::unexpected(Errno::einval);
      return static_cast<int>(abi::kvm_api_version);
    case request::kvm_create_vm:
      return create_vm(context, value);
    case request::kvm_check_extension:
      return check_extension(value);
    case request::kvm_get_vcpu_mmap_size:
      if (value != 0) return std::unexpected(Errno::einval);
      return kVcpuPages * kPage;
    default:
      return std::unexpected(Errno::einval);
  }
}

void KvmFile::released(Machine::Impl& machine, Description& file) {
  file.object = nullptr;
  machine.arena.destroy(this);
}

}  // namespace

os::Result<FileObject*> open_kvm(Context& context) {
  return context.machine.arena.make<KvmFile>();
}

}  // namespace vcpr::machine
