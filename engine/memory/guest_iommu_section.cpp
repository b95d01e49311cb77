#include "engine/memory/guest_iommu_section.hpp"

#include <unordered_map>
#include <utility>

namespace vcpr::memory {

Expected<void> IommuPieces::clear() {
  *this = {};
  return {};
}

Expected<std::unique_ptr<GuestIommuSection>> GuestIommuSection::attach(lifecycle::Life& life, GuestIommu& iommu,
                                                                       RamBlocks& blocks, std::string_view idstr,
                                                                       std::uint32_t instance_id) {
  std::unique_ptr<GuestIommuSection> section(new GuestIommuSection(life, iommu, blocks, idstr, instance_id));
  auto added = life.sections.add(idstr, instance_id, kGuestIommu, section->state_);
  if (!added) return std::unexpected(std::move(added.error()));
  section->is_registered_ = true;
  life.participants.add(*section, lifecycle::Rank::memory_map, lifecycle::kEveryMode);
  return section;
}

GuestIommuSection::~GuestIommuSection() {
  if (!is_registered_) return;
  life_.participants.remove(*this);
  (void)life_.sections.remove(idstr_, instance_id_);
}

Expected<void> GuestIommuSection::let_go(lifecycle::Mode) {
  state_ = {};
  std::unordered_map<const RamBlock*, std::uint32_t> names;
  for (const auto& [iova, mapping] : iommu_.mappings()) {
    auto [name, is_new] = names.try_emplace(mapping.block, static_cast<std::uint32_t>(names.size()));
    if (is_new) state_.blocks.push_back({mapping.block->name});
    state_.pieces.push_back({.iova = iova,
                             .size = mapping.size,
                             .offset = mapping.offset,
                             .block = name->second,
                             .read_only = mapping.read_only});
  }
  state_.count = static_cast<std::uint32_t>(state_.pieces.size());
  return {};
}

Expected<void> GuestIommuSection::check_loaded() {
  if (!iommu_.mappings().empty()) return refuse(ErrorCode::bad_state, {"it has mappings before its section came"});
  // One that nobody listens to has the same rules.
  GuestIommu rehearsal;
  return make_mappings(rehearsal);
}

Expected<void> GuestIommuSection::take_over() {
  return make_mappings(iommu_);
}

Expected<void> GuestIommuSection::make_mappings(GuestIommu& iommu) {
  std::vector<RamBlock*> blocks;
  for (const BlockName& each : state_.blocks) {
    blocks.push_back(blocks_.find(each.name));
    if (blocks.back() == nullptr) return refuse(ErrorCode::bad_value, {"no block ", quoted(each.name), " is here"});
  }
  for (const IommuPiece& piece : state_.pieces) {
    if (piece.block >= blocks.size()) {
      return refuse(ErrorCode::bad_value, {"mapping at ", Decimal(piece.iova), ": of block ", Decimal(piece.block),
                                           " of ", Decimal(std::uint64_t{blocks.size()})});
    }
    auto mapped = iommu.map({.iova = piece.iova,
                             .size = piece.size,
                             .block = blocks[piece.block],
                             .offset = piece.offset,
                             .read_only = piece.read_only});
    if (!mapped) return mapped;
  }
  return {};
}

}  // namespace vcpr::memory
