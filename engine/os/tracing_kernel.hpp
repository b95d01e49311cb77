// A decorator that writes each call as one line, as strace would, before handing back its result.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "engine/os/kernel.hpp"

namespace vcpr::os {

/// Receives one finished line without its newline, such as `sendmsg(5, 28 bytes, fds [7], MSG_NOSIGNAL) = 28`.
/// No addresses, no times: the same calls give the same lines.
using TraceLine = std::function<void(std::string_view)>;

/// Every member traces; the decorated Kernel must outlive it.
std::unique_ptr<Kernel> tracing_kernel(Kernel& inner, TraceLine line);

}  // namespace vcpr::os
