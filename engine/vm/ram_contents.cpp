#include "engine/vm/ram_contents.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/vm/ram_list.hpp"

namespace vcpr::vm {

using vmstate::kRamPageBytes;

Expected<void> RamContents::save_start(wire::Writer& out) {
  return vmstate::write_ram_setup(listed(ram_), out);
}

Expected<void> RamContents::save_last_part(wire::Writer& out) {
  for (const memory::RamBlock& block : ram_.all()) {
    if (Expected<void> saved = save(block, out); !saved) return saved;
  }
  vmstate::write_ram_end(out);
  return {};
}

Expected<void> RamContents::save(const memory::RamBlock& block, wire::Writer& out) {
  if (block.fd < 0) {
    return refuse(ErrorCode::bad_state, {"RAM block ", quoted(block.name), ": its pages are private to the process"});
  }
  std::array<std::byte, kRamPageBytes> page;
  std::string_view name = block.name;
  for (std::uint64_t offset = 0; offset < block.size; offset += kRamPageBytes) {
    os::Result<std::size_t> read = kernel_.pread(block.fd, page, offset);
    if (!read) return refuse_os(read.error(), {"pread of RAM block ", quoted(block.name)});
    if (*read != page.size()) {
      return refuse(ErrorCode::bad_state, {"RAM block ", quoted(block.name), " is shorter than its size"});
    }
    if (std::ranges::all_of(page, [](std::byte each) { return each == std::byte{0}; })) continue;
    vmstate::write_ram_page(std::exchange(name, {}), offset, page, out);
    if (out.offset() <= kMaxRamContents) continue;
    return refuse(ErrorCode::too_long, {"the memory's pages come to more than ", Decimal(kMaxRamContents), " bytes"});
  }
  return {};
}

Expected<void> RamContents::load_part(wire::Reader& in, std::uint32_t) {
  context_.pages = this;
  std::uint64_t begin = in.offset();
  Expected<vmstate::RamPart> part = vmstate::read_ram_part(in, context_);
  if (!part) return std::unexpected(std::move(part.error()));
  if (std::exchange(is_begun_, true)) return {};
  Expected<void> same = vmstate::check_ram_blocks(listed(ram_), part->blocks);
  if (!same) same.error().offset = begin;
  return same;
}

Expected<void> RamContents::page(std::string_view name, std::uint64_t offset, std::span<const std::byte> bytes) {
  auto block = std::ranges::find(ram_.all(), name, &memory::RamBlock::name);
  if (block == ram_.all().end()) return refuse(ErrorCode::bad_value, {"a page of RAM block ", quoted(name)});
  if (offset >= block->size) {
    return refuse(ErrorCode::bad_value, {"RAM block ", quoted(name), ": a page at ", Decimal(offset), " of ",
                                         Decimal(block->size), " bytes"});
  }
  if (block->fd < 0) return refuse(ErrorCode::bad_state, {"RAM block ", quoted(name), " is private memory"});
  std::array<std::byte, kRamPageBytes> filled;
  if (bytes.size() == 1) {
    filled.fill(bytes.front());
    bytes = filled;
  }
  os::Result<std::size_t> written = kernel_.pwrite(block->fd, bytes, offset);
  if (!written) return refuse_os(written.error(), {"pwrite of RAM block ", quoted(name)});
  if (*written == bytes.size()) return {};
  return refuse(ErrorCode::bad_state, {"RAM block ", quoted(name), ": a page was written in part"});
}

}  // namespace vcpr::vm
