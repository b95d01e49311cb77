// What one message interrupt has: an eventfd for user space, one for KVM, a route and an irqfd.
//
// A vector that is in use always has "interrupt". With KVM it has "kvm_interrupt" too, which is then the device's
// trigger while the guest has the vector unmasked. When KVM has no route left, user space listens to both.
#pragma once

#include <optional>

#include "engine/kvm/message.hpp"
#include "engine/lifecycle/embedder.hpp"
#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::vfio {

class PciDevice;

/// Hears of signals that came to user space.
class VectorOwner {
 public:
  virtual void vector_signalled(std::uint32_t vector) = 0;

 protected:
  ~VectorOwner() = default;
};

class Vector final : public lifecycle::FdHandler {
 public:
  Vector(PciDevice& device, VectorOwner& owner, std::uint32_t number)
      : device_(device), owner_(owner), number_(number) {}
  ~Vector() override { detach_handlers(); }
  Vector(const Vector&) = delete;
  Vector& operator=(const Vector&) = delete;

  bool is_used() const { return interrupt_ >= 0; }
  bool has_route() const { return gsi_.has_value(); }
  bool has_irqfd() const { return has_irqfd_; }
  bool is_attached() const { return has_handlers_; }
  const kvm::MsiMessage& message() const { return message_; }
  /// What the device is to signal; -1: not in use.
  std::int32_t trigger(bool masked) const { return has_route() && !masked ? kvm_interrupt_ : interrupt_; }
  /// What the device signals as far as the kernel was told; -1: nothing.
  std::int32_t armed() const { return armed_; }
  void set_armed(std::int32_t eventfd) { armed_ = eventfd; }

  /// Fresh eventfds, saved in the table, and a route that is still to be committed. On error nothing is left.
  Expected<void> open(const kvm::MsiMessage& message, bool with_kvm);
  /// The eventfds that came, and a route still to be committed. missing_key.
  Expected<void> adopt(const kvm::MsiMessage& message, bool with_kvm);
  /// The irqfd, and handlers for what user space delivers. What is there already stays.
  Expected<void> attach();
  /// Takes irqfd and handlers away. On error the irqfd is still there.
  Expected<void> detach();
  /// The route, still to be committed.
  void change_message(const kvm::MsiMessage& message);
  /// One signal as from the device: for one that somebody may have taken without the guest.
  void signal();
  /// Forgets eventfds and route (to be committed), but leaves the table's entries.
  void forget();
  /// Gives all of it back, the table's entries too; the route's going is still to be committed.
  void close();
  /// User space has taken a signal since attach().
  bool has_consumed() const { return has_consumed_; }

  void ready(int fd) override;

 private:
  Expected<void> add_route(const kvm::MsiMessage& message);
  void detach_handlers();
  std::unexpected<Error> explain(Error error, int fd) const;

  PciDevice& device_;
  VectorOwner& owner_;
  std::uint32_t number_;
  int interrupt_ = -1;      ///< borrowed from the table, as is
  int kvm_interrupt_ = -1;  ///< this one
  kvm::MsiMessage message_;
  std::optional<std::uint32_t> gsi_;
  bool has_irqfd_ = false;
  bool has_handlers_ = false;
  std::int32_t armed_ = -1;
  bool has_consumed_ = false;
};

/// A fresh eventfd, non-blocking and close-on-exec, saved as (DEVICE_NAME, number). Borrowed.
Expected<int> make_vector_eventfd(PciDevice& device, std::string_view name, std::int32_t number);
/// The counter, which is 0 afterwards; 0 when there is nothing to be read.
std::uint64_t read_eventfd(os::Kernel& kernel, int fd);
/// Adds one. A counter that is full is not 0, which is all that counts.
void signal_eventfd(os::Kernel& kernel, int fd);

}  // namespace vcpr::vfio
