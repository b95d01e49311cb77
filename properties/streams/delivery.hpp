// A CPR state on its way: a source process that sends what it is told to, and the engine's target in another.
#pragma once

#include <span>
#include <vector>

#include "engine/handover/transfer.hpp"
#include "engine/wire/outbox.hpp"
#include "properties/machine/machine.hpp"
#include "properties/streams/transfer_input.hpp"

namespace vcpr::streams {

/// Two processes of one machine and a connection between them.
class Delivery {
 public:
  explicit Delivery(machine::Machine& machine);

  machine::Process& source() { return *source_; }
  machine::Process& target() { return *target_; }

  /// Puts the descriptors that `input` asks for into the source; the same input gives the same ones.
  std::vector<wire::RidingFd> prepare(const TransferInput& input);
  /// Sends the stream, ends it as `input` says, and lets the engine load it meanwhile. Comes back at the latest when
  /// the target's deadlines have passed, with the connection closed on both sides.
  Expected<handover::CprState> run(const TransferInput& input, std::span<const wire::RidingFd> rides);

 private:
  void end_stream(Ending ending);

  machine::Process* source_;
  machine::Process* target_ = nullptr;
  int source_socket_ = -1;
  int target_socket_ = -1;
};

}  // namespace vcpr::streams
