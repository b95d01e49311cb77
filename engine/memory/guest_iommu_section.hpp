// The mappings of a guest IOMMU as a section of the main stream: blocks by name, as addresses are each process's own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/memory/guest_iommu.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::memory {

/// An IommuMapping in a stream. Of one size, so that a vmdescription says it once, and not 65,536 times.
struct IommuPiece {
  std::uint64_t iova = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::uint32_t block = 0;  ///< which of the names
  bool read_only = false;
};

struct BlockName {
  std::string name;
};

struct IommuPieces {
  std::vector<BlockName> blocks;
  std::uint32_t count = 0;
  std::vector<IommuPiece> pieces;  ///< `count` of them

  /// A list grows by what is loaded: nothing of an earlier load may be in it.
  Expected<void> clear();
};

inline constexpr vmstate::Field kBlockNameFields[] = {
    vmstate::counted_name<&BlockName::name>("name", kMaxBlockNameBytes),
};
inline constexpr auto kBlockName = vmstate::describe<BlockName>("guest-iommu/block", 1, kBlockNameFields);
inline constexpr vmstate::Field kIommuPieceFields[] = {
    vmstate::field<&IommuPiece::iova>("iova"),           vmstate::field<&IommuPiece::size>("size"),
    vmstate::field<&IommuPiece::offset>("offset"),       vmstate::field<&IommuPiece::block>("block"),
    vmstate::field<&IommuPiece::read_only>("read_only"),
};
inline constexpr auto kIommuPiece = vmstate::describe<IommuPiece>("guest-iommu/mapping", 1, kIommuPieceFields);
inline constexpr vmstate::Field kGuestIommuFields[] = {
    vmstate::vector_list<&IommuPieces::blocks>("blocks", kBlockName, kMaxRamBlocks),
    vmstate::field<&IommuPieces::count>("count").at_most(kMaxIommuMappings),
    vmstate::struct_varray<&IommuPieces::pieces, &IommuPieces::count>("mappings", kIommuPiece),
};
/// Ours: QEMU's guest IOMMUs save what the guest programmed, and walk its tables again.
inline constexpr auto kGuestIommu = vmstate::describe<IommuPieces>("guest-iommu", 1, kGuestIommuFields)
                                        .at(vmstate::Priority::iommu)
                                        .before_load<&IommuPieces::clear>();

/// Saves the mappings when the old side lets go, makes them when the new side takes over: before the addresses of
/// containers are given, so that listeners know what there is.
class GuestIommuSection final : public lifecycle::Participant {
 public:
  /// Registers the section under a name of the embedder's. duplicate_key, bad_length. All must outlive it.
  static Expected<std::unique_ptr<GuestIommuSection>> attach(lifecycle::Life& life, GuestIommu& iommu,
                                                             RamBlocks& blocks, std::string_view idstr,
                                                             std::uint32_t instance_id = 0);
  ~GuestIommuSection() override;
  GuestIommuSection(const GuestIommuSection&) = delete;
  GuestIommuSection& operator=(const GuestIommuSection&) = delete;

  std::string what() const override { return "guest IOMMU " + vcpr::quoted(idstr_); }
  Expected<void> let_go(lifecycle::Mode mode) override;
  /// bad_value: a mapping is not whole pages, meets another, is outside its block, or of a block that is not here;
  /// bad_state: this side's guest IOMMU has mappings already.
  Expected<void> check_loaded() override;
  Expected<void> take_over() override;

 private:
  GuestIommuSection(lifecycle::Life& life, GuestIommu& iommu, RamBlocks& blocks, std::string_view idstr,
                    std::uint32_t instance_id)
      : life_(life), iommu_(iommu), blocks_(blocks), idstr_(idstr), instance_id_(instance_id) {}

  Expected<void> make_mappings(GuestIommu& iommu);

  lifecycle::Life& life_;
  GuestIommu& iommu_;
  RamBlocks& blocks_;
  std::string idstr_;
  std::uint32_t instance_id_;
  bool is_registered_ = false;
  IommuPieces state_;
};

}  // namespace vcpr::memory
