#include "properties/whole_vm/witness.hpp"

#include <algorithm>

namespace vcpr::whole_vm {

void Witness::called(const machine::CallRecord& record) {
  const bool is_ioctl = record.site.call == machine::Call::ioctl;
  asked_.push_back({.number = record.site.number,
                    .pid = record.pid,
                    .image = record.image,
                    .call = record.site.call,
                    .request = is_ioctl && record.arguments.size() > 1 ? record.arguments[1] : 0,
                    .succeeded = record.error == os::Errno::none,
                    .passed = record.passed});
}

std::uint64_t Witness::count(std::uint64_t request) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      asked_, [request](const Asked& each) { return each.request == request && each.succeeded; }));
}

}  // namespace vcpr::whole_vm
