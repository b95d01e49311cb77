#include "properties/machine/mm_account.hpp"

#include "properties/machine/memory.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

Mm Mm::of(ProcessState& process) {
  return {&process, process.images};
}

bool Mm::has_users() const {
  return process != nullptr && process->lives && process->images == image;
}

os::Result<void> charge_locked(const Mm& mm, std::uint64_t pages, bool unlimited) {
  if (!mm.has_users()) return std::unexpected(os::Errno::esrch);
  AddressSpace& space = mm.process->space;
  const std::uint64_t limit = mm.process->memlock_limit / kPageBytes;
  if (!unlimited && space.locked_pages + pages > limit) return std::unexpected(os::Errno::enomem);
  space.locked_pages += pages;
  return {};
}

void uncharge_locked(const Mm& mm, std::uint64_t pages) {
  if (mm.has_users()) mm.process->space.locked_pages -= pages;
}

}  // namespace vcpr::machine
