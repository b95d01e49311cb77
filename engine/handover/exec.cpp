#include "engine/handover/exec.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/handover/close_on_exec.hpp"
#include "engine/os/abi.hpp"
#include "engine/store/descriptor_kind.hpp"
#include "engine/store/descriptor_link.hpp"
#include "engine/wire/channel.hpp"

namespace vcpr::handover {

namespace abi = os::abi;

Expected<void> ExecSource::persist() {
  if (memfd_.is_open()) return refuse(ErrorCode::bad_state, {"the state is persisted already"});
  if (exec_state_present(kernel_)) {
    return refuse(ErrorCode::bad_environment, {kExecStateName, " is set already"});
  }
  wire::Outbox out;
  if (Expected<void> saved = save_cpr_state(state_, Encoding::exec, out); !saved) return saved;
  os::Result<int> created = kernel_.memfd_create(kExecStateName, abi::mfd_cloexec);
  if (!created) return refuse_os(created.error(), {"memfd_create ", kExecStateName});
  os::Fd memfd(kernel_, *created);
  if (Expected<void> written = wire::write_memfd(kernel_, memfd.number(), out.bytes); !written) return written;
  std::string number(std::string_view(Decimal(memfd.number())));
  if (os::Result<void> set = kernel_.setenv(kExecStateName, number.c_str()); !set) {
    return refuse_os(set.error(), {"setenv ", kExecStateName});
  }
  memfd_ = std::move(memfd);
  generation_ = state_.descriptors.generation();
  return {};
}

Error ExecSource::exec(const char* path, std::span<const char* const> arguments) {
  if (!memfd_.is_open()) return refuse(ErrorCode::bad_state, {"the state is not persisted"}).error();
  if (generation_ != state_.descriptors.generation()) {
    return refuse(ErrorCode::bad_state, {"the table has changed since the state was persisted"}).error();
  }
  CloseOnExec attempt(kernel_);
  if (Expected<void> cleared = attempt.set(memfd_.number(), false); !cleared) return cleared.error();
  if (Expected<void> cleared = attempt.set_all(state_.descriptors, false); !cleared) return cleared.error();
  os::Result<void> failed = kernel_.execve(path, arguments);
  return refuse_os(failed ? os::Errno::gone : failed.error(), {"execve of ", quoted(path)}).error();
}

void ExecSource::roll_back() {
  if (!memfd_.is_open()) return;
  (void)kernel_.unsetenv(kExecStateName);
  memfd_.reset();
}

bool exec_state_present(os::Kernel& kernel) {
  return kernel.getenv(kExecStateName).has_value();
}

namespace {

Expected<int> state_number(os::Kernel& kernel) {
  std::optional<std::string> text = kernel.getenv(kExecStateName);
  if (!text) return refuse(ErrorCode::bad_environment, {kExecStateName, " is not set"});
  int number = -1;
  const char* end = text->data() + text->size();
  auto [stop, error] = std::from_chars(text->data(), end, number);
  bool as_written = error == std::errc() && stop == end && number >= 0 && *text == std::string_view(Decimal(number));
  if (!as_written) {
    return refuse(ErrorCode::bad_environment, {kExecStateName, " is ", quoted(*text), ", not a descriptor number"});
  }
  return number;
}

/// The variable can be set by anyone, so its number must lead to a memfd of the right name.
Expected<void> check_is_state(os::Kernel& kernel, int number) {
  Expected<store::DescriptorLink> link = store::DescriptorLink::of(kernel, number);
  if (!link && link.error().code == ErrorCode::bad_descriptor) {
    return refuse(ErrorCode::bad_environment, {kExecStateName, ": ", link.error().text});
  }
  if (!link) return std::unexpected(std::move(link.error()));
  std::string wanted = std::string("/memfd:") + kExecStateName + " (deleted)";
  if (link->text() == wanted) return {};
  return refuse(ErrorCode::bad_environment,
                {kExecStateName, ": descriptor ", Decimal(number), " is ", quoted(link->text()), ", not our memfd"});
}

/// What load_cpr_state leaves to the exec mode, and then the point of no return.
Expected<void> take_over(os::Kernel& kernel, const store::DescriptorTable& table, int memfd) {
  if (std::optional<store::Entry> entry = table.find_number(memfd)) {
    return refuse(ErrorCode::same_descriptor,
                  {store::describe(entry->key), ": descriptor ", Decimal(memfd), " is that of the state itself"});
  }
  if (Expected<void> verified = store::verify_kinds(kernel, table); !verified) return verified;
  CloseOnExec again(kernel);
  if (Expected<void> set = again.set_all(table, true); !set) return set;
  if (os::Result<void> removed = kernel.unsetenv(kExecStateName); !removed) {
    return refuse_os(removed.error(), {"unsetenv ", kExecStateName});
  }
  again.keep();
  os::Fd(kernel, memfd).reset();
  return {};
}

}  // namespace

Expected<CprState> load_exec_state(os::Kernel& kernel, Peer peer) {
  Expected<int> memfd = state_number(kernel);
  if (!memfd) return std::unexpected(std::move(memfd.error()));
  if (Expected<void> ours = check_is_state(kernel, *memfd); !ours) return std::unexpected(std::move(ours.error()));
  Expected<std::vector<std::byte>> bytes = wire::read_memfd(kernel, *memfd);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  Expected<CprState> state = load_cpr_state(kernel, {std::move(*bytes), {}}, Encoding::exec, peer);
  if (!state) return state;
  if (Expected<void> taken = take_over(kernel, state->descriptors, *memfd); !taken) {
    state->descriptors.disown();
    return std::unexpected(std::move(taken.error()));
  }
  return state;
}

}  // namespace vcpr::handover
