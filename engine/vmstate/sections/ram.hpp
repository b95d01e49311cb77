// The section "ram", old-style: records of an address with flags in its low bits (QEMU's migration/ram.c). In CPR by
// transfer and exec only the list of blocks and the end mark are sent, as every page stays where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/vmstate/observer.hpp"
#include "engine/vmstate/section_table.hpp"
#include "engine/wire/reader.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::vmstate {

inline constexpr std::uint32_t kRamVersion = 4;
inline constexpr std::uint64_t kRamPageBytes = 4096;
inline constexpr std::uint32_t kMaxRamBlocks = 4096;

/// The low bits of a record's first word.
enum class RamFlag : std::uint64_t {
  zero = 0x02,       ///< a page of one repeated byte, which follows
  mem_size = 0x04,   ///< the rest of the word is the sum of used lengths; the blocks follow
  page = 0x08,       ///< 4096 bytes follow
  end = 0x10,        ///< of this part of the section
  continued = 0x20,  ///< same block as the page before: no name
};

struct RamBlock {
  std::string name;
  std::uint64_t used_length = 0;           ///< bytes
  std::optional<std::uint64_t> address{};  ///< guest physical, 0 when unmapped: only with x-ignore-shared
  bool operator==(const RamBlock&) const = default;
};

struct RamPart {
  std::vector<RamBlock> blocks;
  std::uint64_t pages = 0;
};

/// Takes the pages of a stream.
class RamPages {
 public:
  virtual ~RamPages() = default;
  /// `offset` in the block, whole pages; `bytes`: kRamPageBytes of them, or one that fills the page.
  virtual Expected<void> page(std::string_view block, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
};

/// What the reading of one part must know of the stream before it.
struct RamContext {
  bool with_addresses = false;  ///< x-ignore-shared is on
  bool has_block = false;       ///< a page has named its block: the next ones may continue it, in later parts too
  std::string block{};          ///< its name
  RamPages* pages = nullptr;    ///< where pages go; null: they are only counted
};

/// Reads one part of the section, up to and including its end mark. `observer` (may be null) hears of every field,
/// under `prefix`. bad_value, bad_length, truncated.
Expected<RamPart> read_ram_part(wire::Reader& in, RamContext& context, Observer* observer = nullptr,
                                std::string_view prefix = {});

/// bad_value unless the blocks that came are those that are here, in any order.
Expected<void> check_ram_blocks(std::span<const RamBlock> here, std::span<const RamBlock> came);

/// The section of a VM whose memory is handed over whole (cpr-transfer, cpr-exec): the blocks must be those of this
/// side, in any order, and no page may come.
class RamSection final : public IterableSection {
 public:
  explicit RamSection(std::vector<RamBlock> blocks) : blocks_(std::move(blocks)) {}

  Expected<void> save_start(wire::Writer& out) override;
  Expected<void> save_last_part(wire::Writer& out) override;
  /// bad_value: a block is unknown, of another length, absent or twice, or a page came. The rest as read_ram_part.
  Expected<void> load_part(wire::Reader& in, std::uint32_t version) override;

 private:
  std::vector<RamBlock> blocks_;
  RamContext context_;
  bool is_begun_ = false;
};

/// The first part as CPR sends it: the blocks (addresses where they have one), then the end mark.
Expected<void> write_ram_setup(std::span<const RamBlock> blocks, wire::Writer& out);
/// One page of kRamPageBytes. `block` is empty for the block of the page before.
void write_ram_page(std::string_view block, std::uint64_t offset, std::span<const std::byte> bytes, wire::Writer& out);
/// The end of a part.
void write_ram_end(wire::Writer& out);

}  // namespace vcpr::vmstate
