// memfd_create, seals, and file operations on contents in memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/description.hpp"

namespace vcpr::machine {

struct Context;

os::Result<int> do_memfd_create(Context& context, std::string_view name, std::uint32_t flags);
os::Result<void> add_seals(Context& context, Description& description, std::uint32_t seals);
os::Result<int> get_seals(const Description& description);
/// `offset` is moved by what was read or written; the description's own for read(2) and write(2).
os::Result<std::size_t> read_memory(Context& context, Description& description, std::uint64_t& offset,
                                    std::span<std::byte> buffer);
os::Result<std::size_t> write_memory(Context& context, Description& description, std::uint64_t& offset,
                                     std::span<const std::byte> bytes);
os::Result<void> resize_memory(Context& context, Description& description, std::uint64_t size);

}  // namespace vcpr::machine
