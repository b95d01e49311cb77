#include "engine/lifecycle/blockers.hpp"

#include <algorithm>
#include <utility>

namespace vcpr::lifecycle {

Expected<BlockerId> Blockers::add(Modes modes, Error reason) {
  if (busy_) return refuse(ErrorCode::bad_state, {"a handover is under way and cannot be blocked: ", reason.text});
  blockers_.push_back({.id = ++last_id_, .modes = modes, .reason = std::move(reason)});
  return last_id_;
}

void Blockers::remove(BlockerId& id) {
  std::erase_if(blockers_, [id](const Blocker& each) { return each.id == id; });
  id = 0;
}

Expected<void> Blockers::check(Mode mode) const {
  auto found = std::ranges::find_if(blockers_, [mode](const Blocker& each) { return each.modes.has(mode); });
  if (found == blockers_.end()) return {};
  return std::unexpected(found->reason);
}

}  // namespace vcpr::lifecycle
