#include "engine/lifecycle/life.hpp"

namespace vcpr::lifecycle {

Expected<void> Life::check_ours(std::string_view what) const {
  if (run_state == RunState::postmigrate) {
    return refuse(ErrorCode::bad_state, {what, ": the VM was given away to another process"});
  }
  if (run_state == RunState::finish_migrate) {
    return refuse(ErrorCode::bad_state, {what, ": the VM is stopped for a handover"});
  }
  if (run_state == RunState::inmigrate || is_incoming()) {
    return refuse(ErrorCode::bad_state, {what, ": the VM has not arrived yet"});
  }
  return {};
}

}  // namespace vcpr::lifecycle
