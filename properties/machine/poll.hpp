// What poll(2) reports of each kind of description, and how it waits.
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/description.hpp"

namespace vcpr::machine {

struct Context;

// The bits of <poll.h> that only few ask for.
inline constexpr std::int16_t kPollRdNorm = 0x040;
inline constexpr std::int16_t kPollWrNorm = 0x100;
inline constexpr std::int16_t kPollWrBand = 0x200;

/// Every event of the description, whatever was asked for.
std::int16_t events_of(const Machine::Impl& machine, const Description& description);
os::Result<int> do_poll(Context& context, std::span<os::PollFd> fds, os::Deadline deadline);

}  // namespace vcpr::machine
