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
  section.section_id = static_cast<std::uint32_t>(sections_.size());
  const Section& added = *sections_.emplace_back(std::make_unique<Section>(std::move(section)));
  by_key_.emplace(Key{added.idstr, added.instance_id}, &added);
  std::uint32_t& next = next_instances_[added.idstr];
  next = std::max(next, added.instance_id + 1);
  return {};
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
