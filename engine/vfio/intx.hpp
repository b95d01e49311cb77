// INTx: a level that VFIO masks when it has signalled it, until somebody says that the guest is done with it.
//
// With KVM that is KVM itself: an EOI signals the unmask eventfd. Without, user space raises the pin, takes the BARs
// out of the guest and waits for its next access to the device (QEMU hw/vfio/pci.c).
#pragma once

#include "engine/lifecycle/embedder.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

/// How long a device's BARs stay out of the guest after an interrupt (QEMU: x-intx-mmap-timeout-ms).
inline constexpr os::Duration kBarsHiddenFor = os::Duration::milliseconds(1100);

class Intx final : public lifecycle::FdHandler, public lifecycle::TimerHandler {
 public:
  explicit Intx(PciDevice& device);
  ~Intx() override;
  Intx(const Intx&) = delete;
  Intx& operator=(const Intx&) = delete;

  /// The device has a pin, and the kernel an interrupt for it.
  bool exists() const { return exists_; }
  bool is_on() const { return interrupt_ >= 0; }
  bool has_irqfd() const { return has_irqfd_; }
  bool is_pending() const { return is_pending_; }
  const IntxRoute& route() const { return route_; }

  Expected<void> enable();
  Expected<void> disable();
  void abandon();
  /// Not on, or not ours: the route is noted for later.
  Expected<void> set_route(const IntxRoute& route, bool is_ours);
  /// The guest has looked at the device: in user space the end of a pending interrupt.
  Expected<void> guest_accessed();

  // A handover (lifecycle::Participant)
  Expected<void> let_go();
  Expected<void> take_back();
  Expected<void> check_loaded(const vmstate::VfioCprPci& section, bool in_use) const;
  /// The route is the section's, also while INTx is not in use.
  void adopt_route(const vmstate::IntxState& loaded);
  Expected<void> take_over(const vmstate::IntxState& loaded);
  void give_up();
  void fill(vmstate::VfioCprPci& section) const;
  /// Whether user space delivers what is loaded as pending.
  bool hides_bars(const vmstate::IntxState& loaded) const;

  void ready(int fd) override;
  void expired() override;

 private:
  bool can_use_kvm(const IntxRoute& route) const;
  bool kvm_delivers(const vmstate::IntxState& loaded) const;
  Expected<void> assign();
  Expected<void> attach();
  Expected<void> detach();
  Expected<void> connect_kvm();
  Expected<void> move_to_kvm();
  Expected<void> disconnect_kvm();
  Expected<void> set_level(bool up);
  void hide_bars(bool hidden);
  Expected<void> forget_unmask();
  void drop_unmask();
  bool is_stopped_for_handover() const;
  void put_off();
  Device& vfio() { return device_.device(); }

  PciDevice& device_;
  bool exists_ = false;
  int interrupt_ = -1;  ///< borrowed from the table, as is
  int unmask_ = -1;     ///< this one; there is one where KVM delivers
  IntxRoute route_;
  bool has_irqfd_ = false;
  std::uint32_t irqfd_gsi_ = 0;
  bool has_handler_ = false;
  bool is_pending_ = false;
  bool hides_ = false;  ///< BARs are out of the guest
  bool is_let_go_ = false;
  bool is_put_off_ = false;  ///< the handler comes back when the guest runs again
};

}  // namespace vcpr::vfio
