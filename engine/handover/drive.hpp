// The small real driver: waits with poll where an embedder's main loop would.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "engine/handover/advance.hpp"
#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"

namespace vcpr::handover {

/// Advances one side (TransferSource, TransferTarget) until it is done or refuses. Its own deadlines end every wait.
template <class Side>
Expected<void> drive(os::Kernel& kernel, Side& side) {
  for (;;) {
    Expected<Advance> advanced = side.advance();
    if (!advanced) return std::unexpected(std::move(advanced.error()));
    if (advanced->done) return {};
    std::array<os::PollFd, 1> wanted = {{{.fd = advanced->fd, .events = advanced->events}}};
    std::size_t count = advanced->fd >= 0 ? 1 : 0;
    os::Result<int> polled = kernel.poll(std::span(wanted).first(count), advanced->until);
    if (!polled && polled.error() != os::Errno::eintr) return refuse_os(polled.error(), {"poll"});
  }
}

}  // namespace vcpr::handover
