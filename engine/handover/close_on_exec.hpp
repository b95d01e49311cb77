// Changing close-on-exec on many descriptors as one step that can be taken back.
#pragma once

#include <utility>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/os/kernel.hpp"
#include "engine/store/descriptor_table.hpp"

namespace vcpr::handover {

/// Remembers the flags of every descriptor it changes, and puts them back when it dies, unless told to keep them.
class CloseOnExec {
 public:
  explicit CloseOnExec(os::Kernel& kernel) : kernel_(kernel) {}
  ~CloseOnExec() { restore(); }
  CloseOnExec(const CloseOnExec&) = delete;
  CloseOnExec& operator=(const CloseOnExec&) = delete;

  /// bad_descriptor (not open), os_error, gone.
  Expected<void> set(int number, bool close_on_exec);
  /// Each descriptor of the table; stops at the first that fails.
  Expected<void> set_all(const store::DescriptorTable& table, bool close_on_exec);
  /// As everything was before, last change first. Idempotent; a descriptor that has gone is passed over.
  void restore();
  void keep() { before_.clear(); }

 private:
  os::Kernel& kernel_;
  std::vector<std::pair<int, int>> before_;  ///< number, flags
};

}  // namespace vcpr::handover
