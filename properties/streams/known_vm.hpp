// A VM that consists of exactly the sections that a main stream names, as far as the engine describes them.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "engine/vmstate/main_stream.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/sections/global_state.hpp"
#include "engine/vmstate/sections/iommufd.hpp"
#include "engine/vmstate/sections/ram.hpp"
#include "engine/vmstate/sections/vfio_container.hpp"
#include "engine/vmstate/sections/vfio_cpr_pci.hpp"
#include "properties/streams/field_map.hpp"

namespace vcpr::streams {

class KnownVm {
 public:
  /// Of the machine type that the stream says, with one fresh object for each section with a description. Sections that
  /// the engine does not know stay unregistered, so that a load refuses them.
  KnownVm(std::span<const std::byte> stream, const vmstate::MainStreamDocument& document);
  KnownVm(const KnownVm&) = delete;
  KnownVm& operator=(const KnownVm&) = delete;

  Expected<void> load(std::span<const std::byte> stream);
  /// What was loaded, as this engine writes it.
  Expected<Stream> save() const;

 private:
  class Ram final : public vmstate::IterableSection {
   public:
    explicit Ram(bool with_addresses) { context_.with_addresses = with_addresses; }
    Expected<void> save_start(wire::Writer& out) override;
    Expected<void> save_last_part(wire::Writer& out) override;
    Expected<void> load_part(wire::Reader& in, std::uint32_t version) override;

   private:
    vmstate::RamContext context_;
    std::vector<vmstate::RamBlock> blocks_;
  };

  Expected<void> add(const vmstate::MainRecord& record);

  vmstate::Configuration configuration_;
  vmstate::SectionTable sections_;
  std::deque<Ram> ram_;
  std::deque<vmstate::GlobalState> global_states_;
  std::deque<vmstate::VfioCprPci> devices_;
  vmstate::VfioContainerSection container_;
  vmstate::IommufdSection iommufd_;
};

}  // namespace vcpr::streams
