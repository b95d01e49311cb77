#include "engine/vfio/vector.hpp"

#include <span>

#include "engine/os/abi.hpp"
#include "engine/os/fd.hpp"
#include "engine/vfio/pci_device.hpp"

namespace vcpr::vfio {

namespace {

constexpr std::string_view kInterrupt = "interrupt";
constexpr std::string_view kKvmInterrupt = "kvm_interrupt";

}  // namespace

Expected<int> make_vector_eventfd(PciDevice& device, std::string_view name, std::int32_t number) {
  os::Kernel& kernel = device.vm().life.kernel;
  const auto made = kernel.eventfd(0, os::abi::efd_cloexec | os::abi::efd_nonblock);
  if (!made) {
    return refuse_os(made.error(), {"device ", device.name(), ": eventfd of ", name, " ", Decimal(number)});
  }
  os::Fd fd(kernel, *made);
  if (auto saved = vfio_cpr_save_vector_fd(device, name, number, fd.number()); !saved) {
    return std::unexpected(std::move(saved.error()));
  }
  return fd.release();
}

std::uint64_t read_eventfd(os::Kernel& kernel, int fd) {
  std::uint64_t counter = 0;
  return kernel.read(fd, std::as_writable_bytes(std::span(&counter, 1))) ? counter : 0;
}

void signal_eventfd(os::Kernel& kernel, int fd) {
  const std::uint64_t one = 1;
  (void)kernel.write(fd, std::as_bytes(std::span(&one, 1)));
}

Expected<void> Vector::open(const kvm::MsiMessage& message, bool with_kvm) {
  const auto number = static_cast<std::int32_t>(number_);
  auto interrupt = make_vector_eventfd(device_, kInterrupt, number);
  if (!interrupt) return std::unexpected(std::move(interrupt.error()));
  interrupt_ = *interrupt;
  if (!with_kvm) return {};
  auto kvm_interrupt = make_vector_eventfd(device_, kKvmInterrupt, number);
  if (!kvm_interrupt) {
    close();
    return std::unexpected(std::move(kvm_interrupt.error()));
  }
  kvm_interrupt_ = *kvm_interrupt;
  auto routed = add_route(message);
  if (!routed) close();
  return routed;
}

Expected<void> Vector::adopt(const kvm::MsiMessage& message, bool with_kvm) {
  const auto number = static_cast<std::int32_t>(number_);
  auto interrupt = vfio_cpr_load_vector_fd(device_, kInterrupt, number);
  if (!interrupt) return std::unexpected(std::move(interrupt.error()));
  if (with_kvm) {
    auto kvm_interrupt = vfio_cpr_load_vector_fd(device_, kKvmInterrupt, number);
    if (!kvm_interrupt) return std::unexpected(std::move(kvm_interrupt.error()));
    kvm_interrupt_ = *kvm_interrupt;
  }
  interrupt_ = *interrupt;
  return with_kvm ? add_route(message) : Expected<void>();
}

/// KVM's table may be full: then user space delivers.
Expected<void> Vector::add_route(const kvm::MsiMessage& message) {
  message_ = message;
  auto gsi = device_.vm().kvm->add_message_route(message);
  if (gsi) {
    gsi_ = *gsi;
    return {};
  }
  if (gsi.error().code == ErrorCode::too_long) return {};
  return std::unexpected(std::move(gsi.error()));
}

std::unexpected<Error> Vector::explain(Error error, int fd) const {
  const Decimal vector(number_);
  const Decimal eventfd(fd);
  error.text = "device " + device_.name() + ": vector " + std::string(vector) + ": eventfd " + std::string(eventfd) +
               ": " + error.text;
  return std::unexpected(std::move(error));
}

Expected<void> Vector::attach() {
  if (!is_used()) return {};
  if (has_route() && !has_irqfd_) {
    auto assigned = device_.vm().kvm->assign_irqfd(kvm_interrupt_, *gsi_);
    if (!assigned) return explain(std::move(assigned.error()), kvm_interrupt_);
    has_irqfd_ = true;
  }
  if (has_handlers_) return {};
  lifecycle::EventLoop& loop = device_.vm().life.loop;
  loop.watch(interrupt_, *this);
  if (kvm_interrupt_ >= 0 && !has_route()) loop.watch(kvm_interrupt_, *this);
  has_handlers_ = true;
  has_consumed_ = false;
  return {};
}

void Vector::detach_handlers() {
  if (!has_handlers_) return;
  lifecycle::EventLoop& loop = device_.vm().life.loop;
  loop.unwatch(interrupt_);
  if (kvm_interrupt_ >= 0 && !has_route()) loop.unwatch(kvm_interrupt_);
  has_handlers_ = false;
}

Expected<void> Vector::detach() {
  detach_handlers();
  if (!has_irqfd_) return {};
  auto deassigned = device_.vm().kvm->deassign_irqfd(kvm_interrupt_, *gsi_);
  if (!deassigned) return explain(std::move(deassigned.error()), kvm_interrupt_);
  has_irqfd_ = false;
  return {};
}

void Vector::change_message(const kvm::MsiMessage& message) {
  message_ = message;
  if (gsi_) device_.vm().kvm->change_message_route(*gsi_, message);
}

void Vector::signal() {
  if (armed_ >= 0) signal_eventfd(device_.vm().life.kernel, armed_);
}

void Vector::forget() {
  detach_handlers();
  if (gsi_) device_.vm().kvm->remove_route(*gsi_);
  gsi_.reset();
  has_irqfd_ = false;
  interrupt_ = kvm_interrupt_ = -1;
  armed_ = -1;
}

/// An irqfd that KVM does not give back goes with its eventfd.
void Vector::close() {
  if (!is_used()) return;
  (void)detach();
  const auto number = static_cast<std::int32_t>(number_);
  forget();
  vfio_cpr_delete_vector_fd(device_, kInterrupt, number);
  vfio_cpr_delete_vector_fd(device_, kKvmInterrupt, number);
}

void Vector::ready(int fd) {
  if (read_eventfd(device_.vm().life.kernel, fd) == 0) return;
  has_consumed_ = true;
  owner_.vector_signalled(number_);
}

}  // namespace vcpr::vfio
