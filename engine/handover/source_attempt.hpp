// What one attempt of a Source holds; everything in it goes with it.
#pragma once

#include <optional>
#include <vector>

#include "engine/handover/exec.hpp"
#include "engine/handover/source.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/fd.hpp"
#include "engine/wire/channel.hpp"

namespace vcpr::handover {

struct Source::Attempt {
  bool is_begun = false;         ///< blockers can no longer be added
  std::uint64_t generation = 0;  ///< of the table as it is sent
  std::optional<Error> reason;   ///< why the attempt fails
  std::uint32_t failures = 0;    ///< of taking back, for another reason than the peer

  std::optional<TransferSource> table;  ///< transfer
  std::optional<ExecSource> image;      ///< exec

  // The main channel
  os::Fd socket;
  bool asks = false;  ///< frame, answer and word
  wire::Outbox out;
  std::optional<wire::SocketSender> sender;  ///< from the first byte on
  bool all_sent = false;
  bool said_last_word = false;
  std::vector<std::byte> answer;
  os::Deadline deadline;  ///< of the phase
};

}  // namespace vcpr::handover
