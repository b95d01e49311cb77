// One iommufd ioctl under way: its argument, by the rule of sizes (iommufd_fops_ioctl).
#pragma once

#include <algorithm>
#include <cstdint>

#include "properties/machine/caller_memory.hpp"
#include "properties/machine/iommufd/iommufd.hpp"

namespace vcpr::machine {

/// copy_struct_from_user's look at what the kernel does not know: E2BIG unless it is zero, EFAULT.
os::Result<void> check_zero_tail(Context& context, void* argument, std::size_t size, std::size_t known);

struct Command {
  Context& context;
  IommufdContext& iommufd;
  Description& file;
  void* argument = nullptr;
  std::uint32_t size = 0;  ///< as the caller gave it

  /// What the handler works on: E2BIG when bytes beyond the kernel's struct are not zero.
  template <class Argument>
  os::Result<Argument> take() {
    if (auto done = check_zero_tail(context, argument, size, sizeof(Argument)); !done)
      return std::unexpected(done.error());
    return copy_in<Argument>(context, argument, std::min<std::size_t>(size, sizeof(Argument)));
  }
  /// iommufd_ucmd_respond.
  template <class Argument>
  os::Result<void> respond(const Argument& answer) {
    return copy_out(context, argument, answer, std::min<std::size_t>(size, sizeof(Argument)));
  }
};

/// A handler of one ioctl, behind the rule of sizes.
template <class Argument, os::Result<void> (*kHandle)(Command&, Argument&)>
os::Result<void> run(Command& command) {
  auto argument = command.take<Argument>();
  if (!argument) return std::unexpected(argument.error());
  return kHandle(command, *argument);
}

}  // namespace vcpr::machine
