// Guest RAM: blocks of memory that survive because a descriptor of the table names them.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/lifecycle/life.hpp"
#include "engine/os/user_addr.hpp"

namespace vcpr::memory {

/// The page of x86.
inline constexpr std::uint64_t kPageBytes = 4096;
/// Blocks of one VM (as many as the section "ram" may list).
inline constexpr std::size_t kMaxRamBlocks = 4096;
/// A block's name: it has one byte of length in the section "ram".
inline constexpr std::size_t kMaxBlockNameBytes = 255;
/// What the kernel takes as the label of a memfd (mm/memfd.c, MFD_NAME_MAX_LEN).
inline constexpr std::size_t kMaxMemfdNameBytes = 249;

/// How a block's memory came to be, and so whether another process can have it.
enum class Backing : std::uint8_t {
  memfd,      ///< ours, shared, in the table under (name, 0)
  anonymous,  ///< private to the process: blocks transfer and exec
};

struct RamBlock {
  std::string name;        ///< QEMU: a memory back end's id, or DEVICE/REGION
  std::uint64_t size = 0;  ///< bytes, whole pages
  Backing backing{};
  os::UserAddr host{};  ///< where this process has it mapped, shared
  int fd = -1;          ///< borrowed from the table; -1: anonymous
  lifecycle::BlockerId blocker = 0;
};

/// The blocks of one VM; addresses of blocks are stable.
class RamBlocks {
 public:
  explicit RamBlocks(lifecycle::Life& life) : life_(life) {}
  ~RamBlocks();
  RamBlocks(const RamBlocks&) = delete;
  RamBlocks& operator=(const RamBlocks&) = delete;

  /// Old or fresh: a new memfd, saved under (name, 0). Incoming: the one that came under that key; missing_key (none
  /// came, or the block is private), wrong_kind (not a memfd or file), bad_value (another size): never a silent fresh
  /// one. bad_text, bad_length (name; size 0 or not whole pages), bad_value (a name of store::required_kind),
  /// duplicate_key, too_long (kMaxRamBlocks), bad_state (private, while a handover is under way), os_error, gone.
  /// On error nothing is left behind, and what came stays in the table, unclaimed.
  Expected<RamBlock*> allocate(std::string_view name, std::uint64_t size, Backing backing = Backing::memfd);
  /// Unmaps, and closes the table's entry. Nothing may use its memory any more.
  void free(RamBlock& block);
  /// Null when there is none. Constant time but for the hash of the name.
  RamBlock* find(std::string_view name);
  /// In order of allocation.
  const std::list<RamBlock>& all() const { return blocks_; }

 private:
  class Attempt;

  Expected<void> check_new(std::string_view name, std::uint64_t size) const;

  lifecycle::Life& life_;
  std::list<RamBlock> blocks_;
  std::unordered_map<std::string_view, RamBlock*> by_name_;
};

}  // namespace vcpr::memory
