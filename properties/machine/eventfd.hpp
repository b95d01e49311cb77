// eventfd: a counter, and a record of every change.
#pragma once

#include <cstdint>
#include <span>

#include "engine/os/kernel.hpp"
#include "properties/machine/description.hpp"

namespace vcpr::machine {

struct Context;

os::Result<int> do_eventfd(Context& context, std::uint32_t initial, int flags);
/// read(2) and write(2) on a description that is an eventfd; `fd` is for the fact that it would block.
os::Result<std::size_t> read_eventfd(Context& context, int fd, Description& description, std::span<std::byte> buffer);
os::Result<std::size_t> write_eventfd(Context& context, int fd, Description& description,
                                      std::span<const std::byte> bytes);
std::int16_t eventfd_events(const Description& description);

}  // namespace vcpr::machine
