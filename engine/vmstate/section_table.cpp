#include "engine/vmstate/section_table.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

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
  const auto place = place_of(section.idstr, section.instance_id);
  if (place != by_key_.end() && (*place)->is(section.idstr, section.instance_id)) {
    return refuse(ErrorCode::duplicate_key, {"section ", section.text(), " is registered"});
  }
  section.section_id = next_section_id_++;
  by_key_.insert(place, sections_.emplace_back(std::make_unique<Section>(std::move(section))).get());
  return {};
}

Expected<void> SectionTable::remove(std::string_view idstr, std::uint32_t instance_id) {
  const auto found = place_of(idstr, instance_id);
  if (found == by_key_.end() || !(*found)->is(idstr, instance_id)) {
    return refuse(ErrorCode::missing_key,
                  {"section ", quoted(idstr), " instance ", Decimal(instance_id), " is not registered"});
  }
  const auto position = sections_.begin() + static_cast<std::ptrdiff_t>(position_of(**found));
  // The argument may be a view of the section's name.
  const std::unique_ptr<Section> removed = std::move(*position);
  by_key_.erase(found);
  sections_.erase(position);
  if (removed->counted) close_gap(removed->idstr, removed->instance_id);
  return {};
}

SectionTable::ByKey::const_iterator SectionTable::place_of(std::string_view idstr, std::uint32_t instance_id) const {
  return std::ranges::lower_bound(by_key_, std::pair(idstr, instance_id), {}, [](const Section* each) {
    return std::pair(std::string_view(each->idstr), each->instance_id);
  });
}

void SectionTable::remove_counted(std::string_view idstr, const void* object) {
  auto found = std::ranges::find_if(
      sections_, [&](const auto& each) { return each->counted && each->idstr == idstr && each->object == object; });
  if (found != sections_.end()) (void)remove(idstr, (*found)->instance_id);
}

std::uint32_t SectionTable::count(std::string_view idstr) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(sections_, [&](const auto& each) { return each->counted && each->idstr == idstr; }));
}

/// Numbers follow the order of registration, so each moves to the one just vacated, and the sorted order stays.
void SectionTable::close_gap(std::string_view idstr, std::uint32_t gap) {
  for (const auto& section : sections_) {
    if (section->counted && section->idstr == idstr && section->instance_id > gap) --section->instance_id;
  }
}

std::size_t SectionTable::position_of(const Section& section) const {
  auto found =
      std::ranges::lower_bound(sections_, section.section_id, {}, [](const auto& each) { return each->section_id; });
  return static_cast<std::size_t>(found - sections_.begin());
}

const Section* SectionTable::find(std::string_view idstr, std::uint32_t instance_id) const {
  const auto found = place_of(idstr, instance_id);
  return found != by_key_.end() && (*found)->is(idstr, instance_id) ? *found : nullptr;
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
