#include "engine/memory/ram_block.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"

namespace vcpr::memory {

namespace abi = os::abi;

namespace {

std::string describe(std::string_view name) {
  return "RAM block " + quoted(name);
}

store::Key key_of(std::string_view name) {
  return {.name = name, .id = 0};
}

}  // namespace

/// Undoes what an allocation has done so far, unless it is kept.
class RamBlocks::Attempt {
 public:
  Attempt(RamBlocks& blocks, RamBlock& block) : life_(blocks.life_), block_(block) {}
  ~Attempt() {
    if (kept_) return;
    life_.blockers.remove(block_.blocker);
    if (claimed_) (void)life_.cpr.descriptors.unclaim(key_of(block_.name));
    if (saved_) (void)life_.cpr.descriptors.remove(key_of(block_.name));
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  Expected<void> find_memory();
  Expected<void> map();
  void keep() { kept_ = true; }

 private:
  Expected<void> create();
  Expected<void> claim();
  Expected<void> check_arrived() const;
  Expected<void> block_handovers();

  lifecycle::Life& life_;
  RamBlock& block_;
  bool saved_ = false;
  bool claimed_ = false;
  bool kept_ = false;
};

Expected<void> RamBlocks::Attempt::find_memory() {
  if (block_.backing == Backing::anonymous) return block_handovers();
  return life_.is_incoming() ? claim() : create();
}

Expected<void> RamBlocks::Attempt::create() {
  std::string label = block_.name.substr(0, kMaxMemfdNameBytes);
  os::Result<int> created = life_.kernel.memfd_create(label.c_str(), abi::mfd_cloexec);
  if (!created) return refuse_os(created.error(), {describe(block_.name), ": memfd_create"});
  os::Fd memfd(life_.kernel, *created);
  os::Result<void> sized = life_.kernel.ftruncate(memfd.number(), block_.size);
  if (!sized) return refuse_os(sized.error(), {describe(block_.name), ": ftruncate to ", Decimal(block_.size)});
  block_.fd = memfd.number();
  Expected<void> saved = life_.cpr.descriptors.save(key_of(block_.name), std::move(memfd));
  saved_ = saved.has_value();
  return saved;
}

Expected<void> RamBlocks::Attempt::claim() {
  Expected<int> number = life_.cpr.descriptors.claim(key_of(block_.name));
  if (!number) return std::unexpected(std::move(number.error()));
  claimed_ = true;
  block_.fd = *number;
  return check_arrived();
}

/// Of what came under the block's key: its kind and its size.
Expected<void> RamBlocks::Attempt::check_arrived() const {
  Expected<store::DescriptorKind> kind = store::kind_of(life_.kernel, block_.fd);
  if (!kind) return std::unexpected(std::move(kind.error()));
  if (*kind != store::DescriptorKind::file) {
    return refuse(ErrorCode::wrong_kind, {describe(block_.name), ": memory was wanted and a ", name(*kind), " came"});
  }
  os::Result<os::Stat> stat = life_.kernel.fstat(block_.fd);
  if (!stat) return refuse_os(stat.error(), {describe(block_.name), ": fstat"});
  if (stat->size == block_.size) return {};
  return refuse(ErrorCode::bad_value,
                {describe(block_.name), ": ", Decimal(stat->size), " bytes came, here it has ", Decimal(block_.size)});
}

/// A private block dies with its process, so no other can have come with it.
Expected<void> RamBlocks::Attempt::block_handovers() {
  if (life_.is_incoming()) {
    return refuse(ErrorCode::missing_key, {describe(block_.name), ": private memory cannot have come"});
  }
  auto reason = refuse(ErrorCode::bad_state, {describe(block_.name), " is private to this process"});
  auto blocker = life_.blockers.add(lifecycle::kTransferAndExec, std::move(reason.error()));
  if (!blocker) return std::unexpected(std::move(blocker.error()));
  block_.blocker = *blocker;
  return {};
}

Expected<void> RamBlocks::Attempt::map() {
  int flags = block_.fd >= 0 ? abi::map_shared : abi::map_private | abi::map_anonymous;
  os::Result<os::UserAddr> mapped =
      life_.kernel.mmap({}, block_.size, abi::prot_read | abi::prot_write, flags, block_.fd, 0);
  if (!mapped) return refuse_os(mapped.error(), {describe(block_.name), ": mmap of ", Decimal(block_.size), " bytes"});
  block_.host = *mapped;
  return {};
}

RamBlocks::~RamBlocks() {
  while (!blocks_.empty()) free(blocks_.back());
}

Expected<RamBlock*> RamBlocks::allocate(std::string_view name, std::uint64_t size, Backing backing) {
  if (auto checked = check_new(name, size); !checked) return std::unexpected(std::move(checked.error()));
  RamBlock block{.name = std::string(name), .size = size, .backing = backing};
  Attempt attempt(*this, block);
  auto done = attempt.find_memory();
  // Last, as nothing undoes it: munmap may fail.
  if (done) done = attempt.map();
  if (!done) return std::unexpected(std::move(done.error()));
  attempt.keep();
  RamBlock& kept = blocks_.emplace_back(std::move(block));
  by_name_.emplace(kept.name, &kept);
  return &kept;
}

Expected<void> RamBlocks::check_new(std::string_view name, std::uint64_t size) const {
  if (auto checked = store::check_name(name); !checked) {
    checked.error().text = "RAM block: " + checked.error().text;
    return checked;
  }
  if (name.size() > kMaxBlockNameBytes) return refuse(ErrorCode::bad_length, {describe(name), ": the name's length"});
  if (store::required_kind(name) != store::DescriptorKind::any) {
    return refuse(ErrorCode::bad_value, {describe(name), ": the name is that of another kind of descriptor"});
  }
  if (size == 0 || size % kPageBytes != 0) {
    return refuse(ErrorCode::bad_length, {describe(name), ": ", Decimal(size), " bytes are not whole pages"});
  }
  if (by_name_.contains(name)) return refuse(ErrorCode::duplicate_key, {describe(name), " exists"});
  if (blocks_.size() == kMaxRamBlocks) return refuse(ErrorCode::too_long, {describe(name), ": too many before it"});
  return {};
}

void RamBlocks::free(RamBlock& block) {
  (void)life_.kernel.munmap(block.host, block.size);
  if (block.fd >= 0) (void)life_.cpr.descriptors.remove(key_of(block.name));
  life_.blockers.remove(block.blocker);
  by_name_.erase(block.name);
  // A VM that ends frees the last one first.
  auto found = std::ranges::find(blocks_ | std::views::reverse, &block, [](RamBlock& each) { return &each; });
  blocks_.erase(std::prev(found.base()));
}

RamBlock* RamBlocks::find(std::string_view name) {
  auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : nullptr;
}

}  // namespace vcpr::memory
