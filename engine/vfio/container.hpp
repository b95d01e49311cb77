// The DMA mappings of one address space, as one type1 container or one IOAS holds them.
//
// It listens to the address map, to guest IOMMUs and to discard managers, and turns what it hears into mappings. The
// books are kept here, for both back ends: what the kernel maps is in mappings(), range by range.
#pragma once

#include <map>
#include <memory>

#include "engine/memory/address_map.hpp"

namespace vcpr::vfio {

/// One mapping that the kernel was asked for and holds. Both kernels unmap and update it only as a whole.
struct DmaMapping {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  os::UserAddr vaddr{};               ///< in this process
  memory::RamBlock* block = nullptr;  ///< null: memory of a BAR
  std::uint64_t offset = 0;           ///< in the block
  bool read_only = false;
  bool vaddr_valid = true;  ///< type1: false from UNMAP VADDR to MAP VADDR
  bool of_file = false;     ///< iommufd: it refers to the block's file, and to no address of a process
};

class Container : public memory::MapListener {
 public:
  ~Container() override;
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  /// By iova.
  const std::map<std::uint64_t, DmaMapping>& mappings() const { return mappings_; }
  /// Whether a guest IOMMU's window, or a block with a discard manager, is mapped at this address.
  bool has_window(std::uint64_t address) const { return windows_.contains(address); }
  bool has_sparse(std::uint64_t address) const { return sparse_.contains(address); }
  /// Restores what the books have within the range: the mappings of a guest IOMMU's window, the populated parts of a
  /// block with a discard manager, or the range itself. Goes on after errors; the first one.
  Expected<void> remap(const memory::FlatRange& range);

  Expected<void> added(const memory::FlatRange& range) override;
  Expected<void> removed(const memory::FlatRange& range) override;

 protected:
  explicit Container(memory::AddressMap& memory);
  /// Maps every range there is, and from here on what comes; on error nothing stays mapped. Nothing when it listens.
  Expected<void> listen();
  /// Hears nothing more and has no books; what the kernel maps stays as it is. The destructor of a container must have
  /// called it.
  void forget();
  void invalidate_books();

  /// Asks the kernel. False: there is no such mapping now, and it is no error, as peer to peer DMA is an extra.
  virtual Expected<bool> map(DmaMapping& mapping) = 0;
  virtual Expected<void> unmap(const DmaMapping& mapping) = 0;
  /// Old side: makes the mapping this process's again.
  virtual Expected<void> restore(DmaMapping& mapping) = 0;

 private:
  class Window;  ///< of a guest IOMMU: listens to it
  class Sparse;  ///< of a range with a discard manager: listens to it

  Expected<void> map_and_note(DmaMapping mapping);
  Expected<void> unmap_and_forget(std::uint64_t iova);
  Expected<void> unmap_within(std::uint64_t address, std::uint64_t size);
  Expected<void> add_window(const memory::FlatRange& range);
  Expected<void> add_sparse(const memory::FlatRange& range);

  memory::AddressMap& memory_;
  bool listening_ = false;
  std::map<std::uint64_t, DmaMapping> mappings_;
  std::map<std::uint64_t, std::unique_ptr<Window>> windows_;  ///< by address
  std::map<std::uint64_t, std::unique_ptr<Sparse>> sparse_;   ///< by address
};

}  // namespace vcpr::vfio
