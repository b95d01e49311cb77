// The section "ram" of a VM whose memory stays where it is: its blocks as they are when the stream is made.
#pragma once

#include <optional>

#include "engine/memory/ram_block.hpp"
#include "engine/vmstate/sections/ram.hpp"

namespace vcpr::vm {

/// The blocks of `ram` as the section lists them.
inline std::vector<vmstate::RamBlock> listed(const memory::RamBlocks& ram) {
  std::vector<vmstate::RamBlock> list;
  for (const memory::RamBlock& block : ram.all()) list.push_back({.name = block.name, .used_length = block.size});
  return list;
}

class RamList final : public vmstate::IterableSection {
 public:
  explicit RamList(const memory::RamBlocks& ram) : ram_(ram) {}

  Expected<void> save_start(wire::Writer& out) override { return vmstate::RamSection(listed(ram_)).save_start(out); }
  Expected<void> save_last_part(wire::Writer& out) override { return vmstate::RamSection({}).save_last_part(out); }
  Expected<void> load_part(wire::Reader& in, std::uint32_t version) override {
    if (!loading_) loading_.emplace(listed(ram_));
    return loading_->load_part(in, version);
  }

 private:
  const memory::RamBlocks& ram_;
  std::optional<vmstate::RamSection> loading_;
};

}  // namespace vcpr::vm
