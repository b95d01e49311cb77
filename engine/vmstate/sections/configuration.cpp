#include "engine/vmstate/sections/configuration.hpp"

#include <algorithm>

namespace vcpr::vmstate {

Expected<void> note_uuid(Configuration& configuration) {
  configuration.has_uuid = true;
  return {};
}

Expected<void> check_layout(const Configuration& theirs) {
  if (!theirs.has_capability(kMappedRam)) return {};
  return refuse(ErrorCode::bad_value, {"the capability mapped-ram lays RAM out in another way"});
}

Expected<void> agree(const Configuration& ours, const Configuration& theirs) {
  auto differ = [](std::string_view what, std::string_view our, std::string_view their) {
    return refuse(ErrorCode::bad_value, {what, " is ", quoted(their), " in the stream and ", quoted(our), " here"});
  };
  if (ours.machine != theirs.machine) return differ("the machine type", ours.machine, theirs.machine);
  if (ours.target_page_bits != theirs.target_page_bits) {
    return differ("target-page-bits", Decimal(ours.target_page_bits), Decimal(theirs.target_page_bits));
  }
  auto has = [](const Configuration& side) {
    return [&side](const CapabilityName& each) { return side.has_capability(each.name); };
  };
  auto extra = std::ranges::find_if_not(theirs.capabilities, has(ours));
  if (extra != theirs.capabilities.end()) return differ("a capability", "off", extra->name);
  auto absent = std::ranges::find_if_not(ours.capabilities, has(theirs));
  if (absent != ours.capabilities.end()) return differ("a capability", absent->name, "off");
  if (ours.has_uuid && theirs.has_uuid && ours.uuid != theirs.uuid) {
    return refuse(ErrorCode::bad_value, {"the uuid in the stream is not that of this machine"});
  }
  return {};
}

}  // namespace vcpr::vmstate
