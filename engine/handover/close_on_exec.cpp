#include "engine/handover/close_on_exec.hpp"

#include "engine/os/abi.hpp"

namespace vcpr::handover {

namespace abi = os::abi;

Expected<void> CloseOnExec::set(int number, bool close_on_exec) {
  os::Result<int> flags = kernel_.fcntl(number, abi::f_getfd, 0);
  if (!flags && flags.error() == os::Errno::ebadf) {
    return refuse(ErrorCode::bad_descriptor, {"descriptor ", Decimal(number), " is not open"});
  }
  if (!flags) return refuse_os(flags.error(), {"fcntl F_GETFD of descriptor ", Decimal(number)});
  int wanted = close_on_exec ? *flags | abi::fd_cloexec : *flags & ~abi::fd_cloexec;
  if (wanted == *flags) return {};
  if (os::Result<int> set = kernel_.fcntl(number, abi::f_setfd, wanted); !set) {
    return refuse_os(set.error(), {"fcntl F_SETFD of descriptor ", Decimal(number)});
  }
  before_.emplace_back(number, *flags);
  return {};
}

Expected<void> CloseOnExec::set_all(const store::DescriptorTable& table, bool close_on_exec) {
  for (store::Entry entry : table) {
    if (Expected<void> changed = set(entry.number, close_on_exec); !changed) {
      changed.error().text = store::describe(entry.key) + ": " + changed.error().text;
      return changed;
    }
  }
  return {};
}

void CloseOnExec::restore() {
  for (; !before_.empty(); before_.pop_back()) {
    auto [number, flags] = before_.back();
    (void)kernel_.fcntl(number, abi::f_setfd, flags);
  }
}

}  // namespace vcpr::handover
