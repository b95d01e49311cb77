#include "engine/vfio/container.hpp"

#include "engine/memory/intervals.hpp"
#include "engine/vfio/ioctl.hpp"

namespace vcpr::vfio {

/// Maps what the guest's IOMMU shows in the window; mappings of other windows are not its business.
class Container::Window final : public memory::IommuListener {
 public:
  Window(Container& container, const memory::FlatRange& range) : container_(container), range_(range) {
    range_.iommu->listen(*this);
  }
  ~Window() override { range_.iommu->forget(*this); }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  Expected<void> replay() {
    for (const auto& [iova, mapping] : range_.iommu->mappings())
      if (Expected<void> done = mapped(mapping); !done) return done;
    return {};
  }

  Expected<void> mapped(const memory::IommuMapping& mapping) override {
    if (!touches(mapping)) return {};
    if (mapping.iova < range_.address || !memory::fits(mapping.iova - range_.address, mapping.size, range_.size)) {
      return refuse(ErrorCode::bad_value, {"IOMMU mapping at ", Decimal(mapping.iova), " of ", Decimal(mapping.size),
                                           " bytes reaches beyond the window at ", Decimal(range_.address)});
    }
    return container_.map_and_note({.iova = mapping.iova,
                                    .size = mapping.size,
                                    .vaddr = mapping.block->host + mapping.offset,
                                    .block = mapping.block,
                                    .offset = mapping.offset,
                                    .read_only = mapping.read_only});
  }
  Expected<void> unmapped(const memory::IommuMapping& mapping) override {
    return touches(mapping) ? container_.unmap_and_forget(mapping.iova) : Expected<void>();
  }

 private:
  bool touches(const memory::IommuMapping& mapping) const {
    return mapping.iova <= range_.address + (range_.size - 1) && range_.address <= mapping.iova + (mapping.size - 1);
  }

  Container& container_;
  memory::FlatRange range_;
};

/// Maps the populated units of the range, each alone, so that each can go alone.
class Container::Sparse final : public memory::DiscardListener {
 public:
  Sparse(Container& container, const memory::FlatRange& range) : container_(container), range_(range) {
    range_.discards->listen(*this);
  }
  ~Sparse() override { range_.discards->forget(*this); }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;

  Expected<void> replay() { return range_.discards->replay_populated(range_.offset, range_.size, *this); }

  Expected<void> populated(std::uint64_t offset, std::uint64_t size) override {
    if (!covers(offset)) return {};
    return container_.map_and_note({.iova = iova_of(offset),
                                    .size = size,
                                    .vaddr = range_.block->host + offset,
                                    .block = range_.block,
                                    .offset = offset,
                                    .read_only = range_.read_only});
  }
  /// The guest has given the memory up; a mapping that the kernel keeps stays in the books.
  void discarded(std::uint64_t offset, std::uint64_t) override {
    if (covers(offset)) (void)container_.unmap_and_forget(iova_of(offset));
  }

 private:
  /// A range is whole units (AddressMap::add): a unit is in it or not.
  bool covers(std::uint64_t offset) const { return offset >= range_.offset && offset - range_.offset < range_.size; }
  std::uint64_t iova_of(std::uint64_t offset) const { return range_.address + (offset - range_.offset); }

  Container& container_;
  memory::FlatRange range_;
};

Container::Container(memory::AddressMap& memory) : memory_(memory) {}

Container::~Container() = default;

Expected<void> Container::listen() {
  if (listening_) return {};
  Expected<void> heard = memory_.listen(*this);
  listening_ = heard.has_value();
  return heard;
}

void Container::forget() {
  if (listening_) memory_.forget(*this);
  listening_ = false;
  windows_.clear();
  sparse_.clear();
  mappings_.clear();
}

void Container::invalidate_books() {
  for (auto& [iova, mapping] : mappings_) mapping.vaddr_valid = false;
}

Expected<void> Container::remap(const memory::FlatRange& range) {
  Expected<void> first;
  for (auto each = mappings_.lower_bound(range.address);
       each != mappings_.end() && each->first - range.address < range.size; ++each)
    note(first, restore(each->second));
  return first;
}

Expected<void> Container::added(const memory::FlatRange& range) {
  if (range.iommu != nullptr) return add_window(range);
  if (range.discards != nullptr) return add_sparse(range);
  return map_and_note({.iova = range.address,
                       .size = range.size,
                       .vaddr = range.host(),
                       .block = range.block,
                       .offset = range.offset,
                       .read_only = range.read_only});
}

Expected<void> Container::removed(const memory::FlatRange& range) {
  windows_.erase(range.address);
  sparse_.erase(range.address);
  return unmap_within(range.address, range.size);
}

Expected<void> Container::add_window(const memory::FlatRange& range) {
  auto window = std::make_unique<Window>(*this, range);
  Expected<void> replayed = window->replay();
  if (!replayed) {
    (void)unmap_within(range.address, range.size);
    return replayed;
  }
  windows_.emplace(range.address, std::move(window));
  return {};
}

Expected<void> Container::add_sparse(const memory::FlatRange& range) {
  auto sparse = std::make_unique<Sparse>(*this, range);
  Expected<void> replayed = sparse->replay();
  if (!replayed) {
    (void)unmap_within(range.address, range.size);
    return replayed;
  }
  sparse_.emplace(range.address, std::move(sparse));
  return {};
}

Expected<void> Container::map_and_note(DmaMapping mapping) {
  Expected<bool> mapped = map(mapping);
  if (!mapped) return std::unexpected(std::move(mapped.error()));
  if (*mapped) mappings_.emplace(mapping.iova, mapping);
  return {};
}

Expected<void> Container::unmap_and_forget(std::uint64_t iova) {
  auto found = mappings_.find(iova);
  if (found == mappings_.end()) return {};
  if (Expected<void> done = unmap(found->second); !done) return done;
  mappings_.erase(found);
  return {};
}

Expected<void> Container::unmap_within(std::uint64_t address, std::uint64_t size) {
  Expected<void> first;
  auto each = mappings_.lower_bound(address);
  while (each != mappings_.end() && each->first - address < size) note(first, unmap_and_forget((each++)->first));
  return first;
}

}  // namespace vcpr::vfio
