// The section "ram" of a reboot: the memory's pages travel, as nothing keeps them. Pages of zeros are left out.
#pragma once

#include "engine/memory/ram_block.hpp"
#include "engine/os/kernel.hpp"
#include "engine/vmstate/sections/ram.hpp"

namespace vcpr::vm {

/// What the pages of a VM may come to in a stream, which is made and read whole.
inline constexpr std::uint64_t kMaxRamContents = 15u << 20;

class RamContents final : public vmstate::IterableSection, public vmstate::RamPages {
 public:
  RamContents(os::Kernel& kernel, const memory::RamBlocks& ram) : kernel_(kernel), ram_(ram) {}

  Expected<void> save_start(wire::Writer& out) override;
  /// bad_state: a block without a descriptor (its memory is private, and nothing here looks into it); too_long
  /// (kMaxRamContents); os_error.
  Expected<void> save_last_part(wire::Writer& out) override;
  /// As vmstate::RamSection about the blocks; bad_value: a page outside its block.
  Expected<void> load_part(wire::Reader& in, std::uint32_t version) override;
  Expected<void> page(std::string_view block, std::uint64_t offset, std::span<const std::byte> bytes) override;

 private:
  Expected<void> save(const memory::RamBlock& block, wire::Writer& out);

  os::Kernel& kernel_;
  const memory::RamBlocks& ram_;
  vmstate::RamContext context_;
  bool is_begun_ = false;
};

}  // namespace vcpr::vm
