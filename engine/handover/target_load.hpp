// What a Target holds until the VM is there; everything in it goes with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/handover/main_channel.hpp"
#include "engine/handover/target.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/fd.hpp"
#include "engine/wire/channel.hpp"

namespace vcpr::handover {

struct Target::Load {
  explicit Load(os::Kernel& kernel) : receiver(kernel, in) {}

  std::optional<TransferTarget> table;  ///< transfer
  std::optional<vm::Arrival> arrival;   ///< until it is taken
  vm::VirtualMachine* vm = nullptr;

  // The main channel
  std::string path;  ///< while a socket file of ours is there
  os::Fd socket;     ///< the listener, then the connection
  wire::Inbox in;    ///< transfer: what came; exec and reboot: the file
  wire::SocketReceiver receiver;
  Opening opening;  ///< of a transfer
  bool took_over = false;
  bool answered = false;
  std::vector<std::byte> word;  ///< what came behind the frame
  os::Deadline deadline;        ///< of the step

  /// The main stream itself.
  std::span<const std::byte> stream() const {
    std::span<const std::byte> all(in.bytes);
    return opening.is_framed ? all.subspan(kFrameBytes, opening.bytes) : all;
  }
};

}  // namespace vcpr::handover
