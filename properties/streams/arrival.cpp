#include "properties/streams/arrival.hpp"

#include "engine/os/abi.hpp"
#include "properties/streams/rides.hpp"

namespace vcpr::streams {

namespace {

/// SCM_RIGHTS gives every descriptor a number of its own, also two of one description.
os::Fd own(os::Kernel& kernel, int number, bool is_taken) {
  if (is_taken) number = kernel.fcntl(number, os::abi::f_dupfd_cloexec, 0).value_or(-1);
  return {kernel, number};
}

}  // namespace

wire::Inbox arrive(const TransferInput& input, machine::Process& target) {
  const auto rides = make_rides(input, target);
  wire::Inbox inbox;
  inbox.bytes.assign(input.stream.begin(), input.stream.end());
  inbox.descriptors.reserve(rides.size());
  for (const wire::RidingFd& ride : rides) {
    os::Fd fd = own(target.kernel(), ride.number, &ride != rides.data() && ride.number == rides.front().number);
    if (!fd) break;
    if (ride.offset < inbox.bytes.size()) inbox.descriptors.push_back({ride.offset, std::move(fd)});
  }
  return inbox;
}

}  // namespace vcpr::streams
