// Which units of a block are populated, as a section of the main stream.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/lifecycle/life.hpp"
#include "engine/memory/discard_manager.hpp"
#include "engine/vmstate/fields.hpp"

namespace vcpr::memory {

inline constexpr std::uint64_t kUnitsOfWord = 64;

struct PopulatedUnits {
  std::uint64_t size = 0;            ///< of the block, bytes
  std::uint64_t granularity = 0;     ///< bytes
  std::vector<std::uint64_t> words;  ///< a bit for each unit, the lowest first

  std::uint64_t units() const { return size / granularity; }
  std::int64_t word_count() const { return static_cast<std::int64_t>((units() + kUnitsOfWord - 1) / kUnitsOfWord); }
};

static_assert(kMaxDiscardUnits / kUnitsOfWord <= vmstate::kMaxElements);

inline constexpr vmstate::Field kPopulatedUnitsFields[] = {
    vmstate::field<&PopulatedUnits::size>("size").equal(),
    vmstate::field<&PopulatedUnits::granularity>("granularity").equal(),
    vmstate::bitmap<&PopulatedUnits::words, &PopulatedUnits::word_count>("populated"),
};
/// Ours; QEMU's virtio-mem keeps the same in its own section, with the same priority.
inline constexpr auto kPopulatedUnits =
    vmstate::describe<PopulatedUnits>("populated-units", 1, kPopulatedUnitsFields).at(vmstate::Priority::virtio_mem);

/// Saves the units when the old side lets go, populates them when the new side takes over: before the addresses of
/// containers are given, so that listeners know what there is.
class DiscardSection final : public lifecycle::Participant {
 public:
  /// Registers the section under a name of the embedder's. duplicate_key, bad_length. All must outlive it.
  static Expected<std::unique_ptr<DiscardSection>> attach(lifecycle::Life& life, DiscardManager& discards,
                                                          std::string_view idstr, std::uint32_t instance_id = 0);
  ~DiscardSection() override;
  DiscardSection(const DiscardSection&) = delete;
  DiscardSection& operator=(const DiscardSection&) = delete;

  std::string what() const override { return "discard manager " + vcpr::quoted(idstr_); }
  Expected<void> let_go(lifecycle::Mode mode) override;
  /// bad_value: a bit beyond the last unit; bad_state: units are populated here already. Another size or granularity is
  /// refused by the load.
  Expected<void> check_loaded() override;
  Expected<void> take_over() override;

 private:
  DiscardSection(lifecycle::Life& life, DiscardManager& discards, std::string_view idstr, std::uint32_t instance_id);

  bool is_set(std::uint64_t unit) const { return (state_.words[unit / kUnitsOfWord] >> unit % kUnitsOfWord & 1) != 0; }

  lifecycle::Life& life_;
  DiscardManager& discards_;
  std::string idstr_;
  std::uint32_t instance_id_;
  bool is_registered_ = false;
  PopulatedUnits state_;
};

}  // namespace vcpr::memory
