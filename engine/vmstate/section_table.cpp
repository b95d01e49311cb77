#include "engine/vmstate/section_table.hpp"

#include <algorithm>

namespace vcpr::vmstate {

std::string Section::text() const {
  std::string text = quoted(idstr);
  text += " instance ";
  text += Decimal(instance_id);
  return text;
}

Expected<void> SectionTable::add(Section section) {
  if (section.idstr.empty() || section.idstr.size() > kMaxIdstrBytes) {
    return refuse(ErrorCode::bad_length, {"section ", section.text(), ": the name's length"});
  }
  if (find(section.idstr, section.instance_id) != nullptr) {
    return refuse(ErrorCode::duplicate_key, {"section ", section.text(), " is registered"});
  }
  section.section_id = next_section_id_++;
  const Section& added = *sections_.emplace_back(std::make_unique<Section>(std::move(section)));
  by_key_.emplace(Key{added.idstr, added.instance_id}, &added);
  std::uint32_t& next = next_instances_[added.idstr];
  next = std::max(next, added.instance_id + 1);
  return {};
}

Expected<void> SectionTable::remove(std::string_view idstr, std::uint32_t instance_id) {
  auto found = by_key_.find(Key{idstr, instance_id});
  if (found == by_key_.end()) {
    return refuse(ErrorCode::missing_key,
                  {"section ", quoted(idstr), " instance ", Decimal(instance_id), " is not registered"});
  }
  auto position = sections_.begin() + static_cast<std::ptrdiff_t>(position_of(*found->second));
  // Keys are views of the section's name; so may be the argument.
  std::unique_ptr<Section> removed = std::move(*position);
  by_key_.erase(found);
  sections_.erase(position);
  count_instances(removed->idstr);
  return {};
}

/// Anew: the key of the count may be a view of the name of a section that goes.
void SectionTable::count_instances(std::string_view idstr) {
  next_instances_.erase(idstr);
  for (const auto& section : sections_) {
    if (section->idstr != idstr) continue;
    std::uint32_t& next = next_instances_[section->idstr];
    next = std::max(next, section->instance_id + 1);
  }
}

std::size_t SectionTable::position_of(const Section& section) const {
  auto found =
      std::ranges::lower_bound(sections_, section.section_id, {}, [](const auto& each) { return each->section_id; });
  return static_cast<std::size_t>(found - sections_.begin());
}

std::uint32_t SectionTable::next_instance(std::string_view idstr) const {
  auto found = next_instances_.find(idstr);
  return found != next_instances_.end() ? found->second : 0;
}

const Section* SectionTable::find(std::string_view idstr, std::uint32_t instance_id) const {
  auto found = by_key_.find(Key{idstr, instance_id});
  return found != by_key_.end() ? found->second : nullptr;
}

std::vector<const Section*> SectionTable::in_order() const {
  std::vector<const Section*> order;
  for (const auto& section : sections_) {
    if (section->description != nullptr) order.push_back(section.get());
  }
  std::ranges::sort(order, [](const Section* one, const Section* other) {
    auto rank = [](const Section* each) { return static_cast<int>(each->description->priority); };
    return rank(one) != rank(other) ? rank(one) > rank(other) : one->section_id < other->section_id;
  });
  return order;
}

}  // namespace vcpr::vmstate
