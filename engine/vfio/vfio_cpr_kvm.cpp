// KVM's part in CPR: what vfio_cpr_kvm_close_notifier of QEMU's hw/vfio/cpr.c does.
#include "engine/vfio/vfio_cpr.hpp"

namespace vcpr::vfio {

namespace {

/// Until KVM is closed its VFIO device keeps the files of groups and devices open.
class KvmClosing final : public lifecycle::Participant {
 public:
  explicit KvmClosing(kvm::Vm& kvm) : kvm_(kvm) {}
  std::string what() const override { return "KVM"; }
  void done() override { kvm_.close(); }

 private:
  kvm::Vm& kvm_;
};

}  // namespace

void vfio_cpr_add_kvm_notifier(Vm& vm) {
  if (vm.kvm == nullptr || vm.kvm_notifier) return;
  vm.kvm_notifier = std::make_unique<KvmClosing>(*vm.kvm);
  vm.life.participants.add(*vm.kvm_notifier, lifecycle::Rank::interrupt_controller, lifecycle::kTransferAndExec);
}

}  // namespace vcpr::vfio
