// The DMA mappings of one address space, as one type1 container or one IOAS holds them.
//
// It listens to the address map, to guest IOMMUs and to discard managers, and turns what it hears into mappings. The
// books are kept here, for both back ends: what the kernel maps is in mappings(), range by range.
#pragma once

#include <map>
#include <vector>

#include "engine/memory/address_map.hpp"

namespace vcpr::vfio {

/// One mapping that the kernel was asked for and holds. Both kernels unmap and update it only as a whole.
struct DmaMapping {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  os::UserAddr vaddr;                 ///< in this process
  memory::RamBlock* block = nullptr;  ///< null: memory of a BAR
  std::uint64_t offset = 0;           ///< in the block
  bool read_only = false;
};

class Container : public memory::MapListener {
 public:
  ~Container() override;
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  /// By iova.
  const std::map<std::uint64_t, DmaMapping>& mappings() const { return mappings_; }
  /// Offers one range's mappings again: those of a guest IOMMU's window, the populated parts of a block with a discard
  /// manager, or the range itself. What seed functions vfio_cpr_giommu_remap and
  /// vfio_cpr_ram_discard_replay_populated do for one section.
  Expected<void> remap(const memory::FlatRange& range);

  Expected<void> added(const memory::FlatRange& range) override;
  Expected<void> removed(const memory::FlatRange& range) override;

 protected:
  Container() = default;
  /// Asks the kernel. A BAR that cannot be mapped is passed over: peer to peer DMA is an extra.
  virtual Expected<void> map(const DmaMapping& mapping) = 0;
  virtual Expected<void> unmap(const DmaMapping& mapping) = 0;

 private:
  class Window;  ///< of a guest IOMMU: listens to it
  class Sparse;  ///< of a range with a discard manager: listens to it

  Expected<void> map_and_note(const DmaMapping& mapping);
  Expected<void> unmap_and_forget(std::uint64_t iova);

  std::map<std::uint64_t, DmaMapping> mappings_;
  std::map<std::uint64_t, std::unique_ptr<Window>> windows_;
  std::map<std::uint64_t, std::unique_ptr<Sparse>> sparse_;
};

}  // namespace vcpr::vfio
