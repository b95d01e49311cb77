#include "properties/machine/vfio/irqs.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/os/abi/vfio.hpp"
#include "properties/machine/caller_memory.hpp"
#include "properties/machine/pci/function.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

/// A request that has passed the common checks, with its data: at most one element a vector.
struct Request {
  std::uint32_t flags = 0, index = 0, start = 0, count = 0;
  std::array<std::int32_t, kMaxVectors> fds;  // of either, as many as there are
  std::array<std::uint8_t, kMaxVectors> bools;

  bool none() const { return (flags & abi::vfio_irq_set_data_none) != 0; }
  bool boolean() const { return (flags & abi::vfio_irq_set_data_bool) != 0; }
  bool eventfd() const { return (flags & abi::vfio_irq_set_data_eventfd) != 0; }
  /// Whether element `i` asks for something.
  bool wants(std::uint32_t i) const { return none() || (boolean() && bools[i] != 0); }
};

constexpr std::uint32_t kInfoBytes = 16;
constexpr std::uint32_t kSetBytes = 20;

/// Bytes of one element, or an unknown or ambiguous type.
os::Result<std::uint32_t> element_bytes(std::uint32_t flags) {
  switch (flags & abi::vfio_irq_set_data_type_mask) {
    case abi::vfio_irq_set_data_none:
      return 0u;
    case abi::vfio_irq_set_data_bool:
      return 1u;
    case abi::vfio_irq_set_data_eventfd:
      return 4u;
    default:
      return std::unexpected(Errno::einval);
  }
}

os::Result<void> read_request(Context& context, const VfioDevice& device, const void* argument, Request& request) {
  const auto header = copy_in<abi::vfio_irq_set>(context, argument, kSetBytes);
  if (!header) return std::unexpected(header.error());
  constexpr std::uint32_t kKnown = abi::vfio_irq_set_data_type_mask | abi::vfio_irq_set_action_type_mask;
  if (header->argsz < kSetBytes || header->index >= abi::vfio_pci_num_irqs ||
      header->count >= std::numeric_limits<std::uint32_t>::max() - header->start || (header->flags & ~kKnown) != 0)
    return std::unexpected(Errno::einval);
  const std::uint32_t vectors = irq_count(device, header->index);
  if (header->start >= vectors || header->start + header->count > vectors) return std::unexpected(Errno::einval);
  const auto element = element_bytes(header->flags);
  if (!element) return std::unexpected(element.error());
  const std::uint32_t bytes = *element * header->count;
  if (header->argsz - kSetBytes < bytes) return std::unexpected(Errno::einval);
  request.flags = header->flags;
  request.index = header->index;
  request.start = header->start;
  request.count = header->count;
  void* into = *element == 1 ? static_cast<void*>(request.bools.data()) : request.fds.data();
  if (auto copied = copy_in(context, into, static_cast<const std::byte*>(argument) + kSetBytes, bytes); !copied)
    return std::unexpected(copied.error());
  return {};
}

// INTx

os::Result<int> enable_intx(VfioDevice& device, Description* trigger) {
  Interrupts& irqs = device.interrupts;
  irqs.mode = IrqMode::intx;
  irqs.intx = trigger;
  irqs.intx_masked = device.function.line_disabled = irqs.intx_disabled;
  flush_interrupts(device.function);
  return 0;
}

os::Result<int> set_intx_trigger(Context& context, VfioDevice& device, const Request& request) {
  Interrupts& irqs = device.interrupts;
  const bool is_on = irqs.mode == IrqMode::intx;
  if (is_on && request.count == 0 && request.none()) {
    disable_interrupts(device);
    return 0;
  }
  if ((!is_on && irqs.mode != IrqMode::none) || request.start != 0 || request.count != 1)
    return std::unexpected(Errno::einval);
  if (request.eventfd()) {
    Description* trigger = nullptr;
    if (request.fds[0] >= 0) {
      const auto found = find_eventfd(context, request.fds[0]);
      if (!found) return std::unexpected(found.error());
      trigger = *found;
    }
    if (!is_on) {
      if (context.fires(FaultPoint::ioctl_set_irqs_ebusy)) return std::unexpected(Errno::ebusy);
      return enable_intx(device, trigger);
    }
    irqs.intx = trigger;
    return 0;
  }
  if (!is_on) return std::unexpected(Errno::einval);
  if (request.wants(0)) signal_intx(device);
  return 0;
}

os::Result<int> set_intx_mask(VfioDevice& device, const Request& request) {
  if (device.interrupts.mode != IrqMode::intx || request.start != 0 || request.count != 1)
    return std::unexpected(Errno::einval);
  if (request.eventfd()) return std::unexpected(Errno::enotty);
  if (request.wants(0)) intx_mask(device);
  return 0;
}

/// vfio_virqfd_enable: an eventfd that is readable already is acted on, but keeps its count.
os::Result<int> set_unmask_event(Context& context, VfioDevice& device, int fd) {
  UnmaskEvent& unmask = device.interrupts.unmask;
  const auto found = find_eventfd(context, fd);
  if (!found) return std::unexpected(found.error());
  if (unmask.eventfd != nullptr) return std::unexpected(Errno::ebusy);
  unmask.eventfd = *found;
  add_waiter(**found, unmask);
  if ((*found)->counter != 0) intx_unmask(device);
  return 0;
}

os::Result<int> set_intx_unmask(Context& context, VfioDevice& device, const Request& request) {
  if (device.interrupts.mode != IrqMode::intx || request.start != 0 || request.count != 1)
    return std::unexpected(Errno::einval);
  if (request.eventfd()) {
    if (request.fds[0] >= 0) return set_unmask_event(context, device, request.fds[0]);
    drop_unmask_event(device);
  } else if (request.wants(0)) {
    intx_unmask(device);
  }
  return 0;
}

// MSI and MSI-X

/// One vector of the host's, if it has any left.
bool take_vector(VfioDevice& device, std::uint32_t vector) {
  Machine::Impl& machine = device.machine;
  if (machine.vectors_in_use >= machine.switches.message_vectors) return false;
  ++machine.vectors_in_use;
  return device.interrupts.has_vector[vector] = true;
}

/// pci_alloc_irq_vectors(1..count): all of them, or none and how many there would have been.
os::Result<int> enable_messages(Context& context, VfioDevice& device, IrqMode mode, std::uint32_t count) {
  if (count == 0) return std::unexpected(Errno::erange);
  const Machine::Impl& machine = device.machine;
  std::uint32_t left =
      machine.switches.message_vectors - std::min(machine.switches.message_vectors, machine.vectors_in_use);
  if (context.fires(FaultPoint::ioctl_set_irqs_short)) left = count - 1;
  if (left == 0) return std::unexpected(Errno::enospc);
  if (left < count) return static_cast<int>(left);
  for (std::uint32_t vector = 0; vector < count; ++vector) take_vector(device, vector);
  device.interrupts.mode = mode;
  device.function.line_disabled = true;  // pci_intx_for_msi
  set_line(device.function, false);      // a function that sends messages does not drive its line
  return 0;
}

/// vfio_msi_set_vector_signal: the old trigger goes first.
os::Result<void> set_vector(Context& context, VfioDevice& device, std::uint32_t vector, int fd) {
  Interrupts& irqs = device.interrupts;
  irqs.vectors[vector] = nullptr;
  if (fd < 0) return {};
  if (!irqs.has_vector[vector]) {
    const bool can_grow = irqs.mode == IrqMode::msix && device.machine.switches.dynamic_msix;
    if (!can_grow) return std::unexpected(Errno::einval);
    if (!take_vector(device, vector)) return std::unexpected(Errno::enospc);
  }
  if (context.fires(FaultPoint::ioctl_set_irqs_enomem)) return std::unexpected(Errno::enomem);
  const auto trigger = find_eventfd(context, fd);
  if (!trigger) return std::unexpected(trigger.error());
  irqs.vectors[vector] = *trigger;
  irqs.msi_requested = irqs.mode == IrqMode::msi;
  flush_interrupts(device.function);
  return {};
}

/// vfio_msi_set_block: an error takes the whole block up to it away.
os::Result<int> set_block(Context& context, VfioDevice& device, const Request& request) {
  for (std::uint32_t i = 0; i < request.count; ++i) {
    const auto set = set_vector(context, device, request.start + i, request.fds[i]);
    if (set) continue;
    for (std::uint32_t undone = 0; undone <= i; ++undone) device.interrupts.vectors[request.start + undone] = nullptr;
    return std::unexpected(set.error());
  }
  return 0;
}

os::Result<int> set_message_trigger(Context& context, VfioDevice& device, const Request& request) {
  Interrupts& irqs = device.interrupts;
  const IrqMode mode = request.index == abi::vfio_pci_msi_irq_index ? IrqMode::msi : IrqMode::msix;
  if (irqs.mode == mode && request.count == 0 && request.none()) {
    disable_interrupts(device);
    return 0;
  }
  if (irqs.mode != mode && irqs.mode != IrqMode::none) return std::unexpected(Errno::einval);
  if (request.eventfd()) {
    if (irqs.mode == mode) return set_block(context, device, request);
    const auto enabled = enable_messages(context, device, mode, request.start + request.count);
    if (!enabled || *enabled != 0) return enabled;
    const auto set = set_block(context, device, request);
    if (!set) disable_interrupts(device);
    return set;
  }
  if (irqs.mode != mode) return std::unexpected(Errno::einval);
  for (std::uint32_t i = 0; i < request.count; ++i)
    if (Description* trigger = irqs.vectors[request.start + i]; trigger != nullptr && request.wants(i))
      signal_eventfd(device.machine, *trigger);
  return 0;
}

/// vfio_pci_set_ctx_trigger_single, for ERR and REQ.
os::Result<int> set_single_trigger(Context& context, VfioDevice& device, const Request& request,
                                   Description*& trigger) {
  if (request.start != 0 || request.count > 1) return std::unexpected(Errno::einval);
  if (request.none()) {
    if (trigger == nullptr) return std::unexpected(Errno::einval);
    if (request.count == 0)
      trigger = nullptr;
    else
      signal_eventfd(device.machine, *trigger);
    return 0;
  }
  if (request.count == 0) return std::unexpected(Errno::einval);
  if (request.boolean()) {
    if (request.wants(0) && trigger != nullptr) signal_eventfd(device.machine, *trigger);
    return 0;
  }
  if (request.fds[0] < -1) return std::unexpected(Errno::einval);
  if (request.fds[0] == -1) {
    trigger = nullptr;
    return 0;
  }
  const auto found = find_eventfd(context, request.fds[0]);
  if (!found) return std::unexpected(found.error());
  trigger = *found;
  return 0;
}

}  // namespace

os::Result<int> get_irq_info(Context& context, VfioDevice& device, void* argument) {
  auto info = copy_in<abi::vfio_irq_info>(context, argument, kInfoBytes);
  if (!info) return std::unexpected(info.error());
  if (info->argsz < kInfoBytes || info->index >= abi::vfio_pci_num_irqs) return std::unexpected(Errno::einval);
  if (info->index == abi::vfio_pci_err_irq_index && device.function.model.express == 0)
    return std::unexpected(Errno::einval);
  info->flags = abi::vfio_irq_info_eventfd;
  info->count = irq_count(device, info->index);
  const bool can_grow = info->index == abi::vfio_pci_msix_irq_index && device.machine.switches.dynamic_msix;
  if (info->index == abi::vfio_pci_intx_irq_index)
    info->flags |= abi::vfio_irq_info_maskable | abi::vfio_irq_info_automasked;
  else if (!can_grow)
    info->flags |= abi::vfio_irq_info_noresize;
  if (auto written = copy_out(context, argument, *info, kInfoBytes); !written) return std::unexpected(written.error());
  return 0;
}

os::Result<int> set_irqs(Context& context, VfioDevice& device, void* argument) {
  Request request;
  if (auto read = read_request(context, device, argument, request); !read) return std::unexpected(read.error());
  const std::uint32_t action = request.flags & abi::vfio_irq_set_action_type_mask;
  const bool is_trigger = action == abi::vfio_irq_set_action_trigger;
  switch (request.index) {
    case abi::vfio_pci_intx_irq_index:
      if (is_trigger) return set_intx_trigger(context, device, request);
      if (action == abi::vfio_irq_set_action_mask) return set_intx_mask(device, request);
      if (action == abi::vfio_irq_set_action_unmask) return set_intx_unmask(context, device, request);
      break;
    case abi::vfio_pci_msi_irq_index:
    case abi::vfio_pci_msix_irq_index:
      if (is_trigger) return set_message_trigger(context, device, request);
      break;
    case abi::vfio_pci_err_irq_index:
      if (is_trigger) return set_single_trigger(context, device, request, device.interrupts.error);
      break;
    default:
      if (is_trigger) return set_single_trigger(context, device, request, device.interrupts.request);
      break;
  }
  return std::unexpected(Errno::enotty);
}

}  // namespace vcpr::machine
