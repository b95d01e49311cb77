// What a side of a handover answers when it is stepped.
#pragma once

#include <cstdint>

#include "engine/os/clock.hpp"
#include "engine/os/error.hpp"

namespace vcpr::handover {

/// done, or waiting for an event of a descriptor until a deadline. Errors travel in Expected<Advance>.
struct Advance {
  bool done = false;
  int fd = -1;              ///< poll this one ...
  std::int16_t events = 0;  ///< ... for these (POLLHUP needs no asking)
  os::Deadline until = {};  ///< advance again then at the latest
};

/// How long a side waits for its peer before it gives up.
struct Timeouts {
  os::Duration connect = os::Duration::seconds(5);   ///< source: socket not there or backlog full; target: accept
  os::Duration transfer = os::Duration::seconds(5);  ///< from connection to the end of the stream
  os::Duration hang_up = os::Duration::seconds(30);  ///< source: from half-close to the target's close
};

}  // namespace vcpr::handover
