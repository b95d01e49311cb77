// Guest RAM: blocks of memory that survive because a descriptor of the table names them.
#pragma once

#include <list>
#include <string>

#include "engine/lifecycle/life.hpp"
#include "engine/os/user_addr.hpp"

namespace vcpr::memory {

/// The page of x86.
inline constexpr std::uint64_t kPageBytes = 4096;
/// Blocks of one VM (as many as the section "ram" may list).
inline constexpr std::size_t kMaxRamBlocks = 4096;

/// How a block's memory came to be, and so whether another process can have it.
enum class Backing : std::uint8_t {
  memfd,      ///< ours, shared, in the table under (name, 0)
  anonymous,  ///< private to the process: blocks transfer and exec
};

struct RamBlock {
  std::string name;        ///< QEMU: a memory back end's id, or DEVICE/REGION
  std::uint64_t size = 0;  ///< bytes, whole pages
  Backing backing{};
  os::UserAddr host;  ///< where this process has it mapped, shared
  int fd = -1;        ///< borrowed from the table; -1: anonymous
  lifecycle::BlockerId blocker = 0;
};

/// The blocks of one VM; addresses of blocks are stable.
class RamBlocks {
 public:
  explicit RamBlocks(lifecycle::Life& life) : life_(life) {}
  ~RamBlocks();
  RamBlocks(const RamBlocks&) = delete;
  RamBlocks& operator=(const RamBlocks&) = delete;

  /// Old or fresh: a new memfd, saved under (name, 0). Incoming: the one that came under that key; missing_key,
  /// wrong_kind (not a memfd), bad_value (another size): never a silent fresh one. duplicate_key, bad_length (size 0,
  /// not whole pages), too_long (kMaxRamBlocks), os_error; on error nothing is left behind.
  Expected<RamBlock*> allocate(std::string_view name, std::uint64_t size, Backing backing = Backing::memfd);
  /// Unmaps, and closes the table's entry. Nothing may use its memory any more.
  void free(RamBlock& block);
  RamBlock* find(std::string_view name);
  const std::list<RamBlock>& all() const { return blocks_; }

 private:
  lifecycle::Life& life_;
  std::list<RamBlock> blocks_;
};

}  // namespace vcpr::memory
