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
  by_key_.erase(found);
  sections_.erase(position);
  return {};
}

SectionTable::ByKey::const_iterator SectionTable::place_of(std::string_view idstr, std::uint32_t instance_id) const {
  return std::ranges::lower_bound(by_key_, std::pair(idstr, instance_id), {}, [](const Section* each) {
    return std::pair(std::string_view(each->idstr), each->instance_id);
  });
}

std::size_t SectionTable::position_of(const Section& section) const {
  auto found =
      std::ranges::lower_bound(sections_, section.section_id, {}, [](const auto& each) { return each->section_id; });
  return static_cast<std::size_t>(found - sections_.begin());
}

std::uint32_t SectionTable::next_instance(std::string_view idstr) const {
  // The highest number itself, which has no next one, does not count.
  const auto behind = place_of(idstr, std::numeric_limits<std::uint32_t>::max());
  if (behind == by_key_.begin() || (*std::prev(behind))->idstr != idstr) return 0;
  return (*std::prev(behind))->instance_id + 1;
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
