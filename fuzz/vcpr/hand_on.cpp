#include "fuzz/vcpr/hand_on.hpp"

#include "engine/handover/drive.hpp"
#include "engine/handover/exec.hpp"
#include "engine/handover/transfer.hpp"

namespace vcpr::tool {

Expected<void> hand_to_socket(os::Kernel& kernel, const handover::CprState& state, const std::string& socket,
                              handover::Timeouts timeouts) {
  handover::TransferSource source(kernel, socket, state, timeouts);
  return handover::drive(kernel, source);
}

Error become(os::Kernel& kernel, const handover::CprState& state, const std::vector<std::string>& command) {
  handover::ExecSource source(kernel, state);
  if (auto persisted = source.persist(); !persisted) return persisted.error();
  std::vector<const char*> arguments;
  for (const std::string& argument : command) arguments.push_back(argument.c_str());
  return source.exec(command.front().c_str(), arguments);
}

handover::Timeouts timeouts_of(unsigned seconds) {
  const os::Duration each = os::Duration::seconds(seconds);
  return {.connect = each, .transfer = each, .hang_up = each};
}

}  // namespace vcpr::tool
