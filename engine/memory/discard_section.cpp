#include "engine/memory/discard_section.hpp"

#include <utility>

namespace vcpr::memory {

DiscardSection::DiscardSection(lifecycle::Life& life, DiscardManager& discards, std::string_view idstr,
                               std::uint32_t instance_id)
    : life_(life), discards_(discards), idstr_(idstr), instance_id_(instance_id) {
  state_.size = discards.size();
  state_.granularity = discards.granularity();
  state_.words.resize(static_cast<std::size_t>(state_.word_count()));
}

Expected<std::unique_ptr<DiscardSection>> DiscardSection::attach(lifecycle::Life& life, DiscardManager& discards,
                                                                 std::string_view idstr, std::uint32_t instance_id) {
  std::unique_ptr<DiscardSection> section(new DiscardSection(life, discards, idstr, instance_id));
  auto added = life.sections.add(idstr, instance_id, kPopulatedUnits, section->state_);
  if (!added) return std::unexpected(std::move(added.error()));
  section->is_registered_ = true;
  life.participants.add(*section, lifecycle::Rank::memory_map, lifecycle::kEveryMode);
  return section;
}

DiscardSection::~DiscardSection() {
  if (!is_registered_) return;
  life_.participants.remove(*this);
  (void)life_.sections.remove(idstr_, instance_id_);
}

Expected<void> DiscardSection::let_go(lifecycle::Mode) {
  state_.words.assign(state_.words.size(), 0);
  for (std::uint64_t unit = 0; unit < state_.units(); ++unit) {
    std::uint64_t bit = discards_.is_populated(unit * state_.granularity) ? 1 : 0;
    state_.words[unit / kUnitsOfWord] |= bit << unit % kUnitsOfWord;
  }
  return {};
}

Expected<void> DiscardSection::check_loaded() {
  for (std::uint64_t unit = state_.units(); unit < state_.words.size() * kUnitsOfWord; ++unit) {
    if (!is_set(unit)) continue;
    return refuse(ErrorCode::bad_value, {"unit ", Decimal(unit), " is populated, here are ", Decimal(state_.units())});
  }
  for (std::uint64_t unit = 0; unit < state_.units(); ++unit) {
    if (!discards_.is_populated(unit * state_.granularity)) continue;
    return refuse(ErrorCode::bad_state, {"unit ", Decimal(unit), " is populated before its section came"});
  }
  return {};
}

Expected<void> DiscardSection::take_over() {
  for (std::uint64_t unit = 0; unit < state_.units(); ++unit) {
    if (!is_set(unit)) continue;
    auto populated = discards_.populate(unit * state_.granularity, state_.granularity);
    if (!populated) return populated;
  }
  return {};
}

}  // namespace vcpr::memory
