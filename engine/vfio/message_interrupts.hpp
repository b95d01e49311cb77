// What MSI and MSI-X have in common: vectors, and how they change hands.
#pragma once

#include <deque>
#include <vector>

#include "engine/vfio/device.hpp"
#include "engine/vfio/vector.hpp"

namespace vcpr::vfio {

class MessageInterrupts : public VectorOwner {
 public:
  virtual ~MessageInterrupts() = default;
  MessageInterrupts(const MessageInterrupts&) = delete;
  MessageInterrupts& operator=(const MessageInterrupts&) = delete;

  bool is_on() const { return on; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(all.size()); }
  const Vector& vector(std::uint32_t number) const { return all[number]; }

  /// The guest has enabled it: eventfds, routes in one batch, irqfds, then the device. On error it is off, and nothing
  /// is left.
  virtual Expected<void> enable() = 0;
  /// Goes on after errors; the first one.
  Expected<void> disable();
  /// As the VM is not ours: descriptors are closed, the device keeps its triggers.
  void abandon();

  // A handover (lifecycle::Participant)
  Expected<void> let_go();
  Expected<void> take_back();
  /// Vectors that have their eventfds, and their routes, which are still to be committed.
  Expected<void> adopt();
  /// The irqfds, their routes being committed. The device is not told anything.
  Expected<void> take_over();
  void give_up();

  void vector_signalled(std::uint32_t number) final;

 protected:
  MessageInterrupts(PciDevice& device, IrqIndex index, std::uint32_t count, bool with_kvm);

  virtual kvm::MsiMessage message(std::uint32_t number) const = 0;
  virtual bool is_masked(std::uint32_t number) const = 0;
  /// What the device is to signal for a vector that is in use.
  virtual std::int32_t wanted_trigger(std::uint32_t number) const = 0;
  /// A signal came for a masked vector.
  virtual void keep(std::uint32_t number) = 0;
  virtual bool take_kept(std::uint32_t number) = 0;
  /// Let go: what keep() holds and the section does not carry goes back into the eventfds.
  virtual void return_kept() {}
  /// take_over has adopted the vectors.
  virtual void adopted() {}

  /// Routes of the vectors are gathered; the kernel hears of them here.
  Expected<void> commit();
  void close_unarmed();
  void send(std::uint32_t number);
  /// What was kept for vectors that are not masked any more.
  void send_kept(std::uint32_t number);
  std::vector<std::int32_t> triggers(std::uint32_t end) const;
  /// Tells the device, and notes it. `end` vectors from 0.
  Expected<void> arm(std::uint32_t end);

  PciDevice& function;
  const bool by_kvm;
  std::deque<Vector> all;
  bool on = false;       ///< as the guest has it
  bool host_on = false;  ///< as the kernel has it

 private:
  const IrqIndex index_;
  bool is_let_go_ = false;
};

}  // namespace vcpr::vfio
