#include "engine/vmstate/sections/global_state.hpp"

#include <algorithm>
#include <cassert>

namespace vcpr::vmstate {

GlobalState GlobalState::of(std::string_view run_state) {
  assert(run_state.size() < kRunStateBytes);
  GlobalState state;
  state.size = static_cast<std::uint32_t>(run_state.size() + 1);
  std::ranges::copy(run_state, state.run_state.begin());
  return state;
}

std::string_view GlobalState::text() const {
  std::string_view all(run_state.data(), run_state.size());
  return all.substr(0, all.find('\0'));
}

Expected<void> check_global_state(GlobalState& state) {
  std::size_t length = state.text().size();
  if (length == kRunStateBytes) return refuse(ErrorCode::bad_text, {"runstate: does not end with NUL"});
  if (state.size == length + 1) return {};
  return refuse(ErrorCode::bad_length, {"size: ", Decimal(state.size), " for ", quoted(state.text())});
}

}  // namespace vcpr::vmstate
