#include "properties/machine/eventfd.hpp"

#include <cstring>
#include <limits>

#include "engine/os/abi.hpp"
#include "properties/machine/event_waiter.hpp"
#include "properties/machine/poll.hpp"
#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;
namespace abi = os::abi;

namespace {

constexpr std::uint64_t kOverflow = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kCounterBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kAnonymousInode = 1;  // all eventfds share the inode of anon_inodefs
constexpr std::uint32_t kAnonymousMode = 0600;

}  // namespace

os::Result<int> do_eventfd(Context& context, std::uint32_t initial, int flags) {
  if ((flags & ~(abi::efd_semaphore | abi::efd_cloexec | abi::efd_nonblock)) != 0)
    return std::unexpected(Errno::einval);
  if (context.fires(FaultPoint::eventfd_enomem)) return std::unexpected(Errno::enomem);
  if (context.fires(FaultPoint::eventfd_emfile) || !context.has_free_number()) return std::unexpected(Errno::emfile);
  if (context.fires(FaultPoint::eventfd_enfile)) return std::unexpected(Errno::enfile);
  Description& made = make_description(context.machine, FileKind::eventfd, abi::o_rdwr | (flags & abi::efd_nonblock));
  made.counter = initial;
  made.semaphore = (flags & abi::efd_semaphore) != 0;
  made.inode = kAnonymousInode;
  made.mode = kAnonymousMode;
  return context.install(made, (flags & abi::efd_cloexec) != 0);
}

os::Result<std::size_t> read_eventfd(Context& context, int fd, Description& description, std::span<std::byte> buffer) {
  if (buffer.size() < kCounterBytes) return std::unexpected(Errno::einval);
  if (description.counter == 0) return context.would_block(fd, description);
  const std::uint64_t value = take_counter(context.machine, description, &context.process);
  std::memcpy(buffer.data(), &value, kCounterBytes);
  context.output = buffer.first(kCounterBytes);
  return kCounterBytes;
}

os::Result<std::size_t> write_eventfd(Context& context, int fd, Description& description,
                                      std::span<const std::byte> bytes) {
  if (bytes.size() != kCounterBytes) return std::unexpected(Errno::einval);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), kCounterBytes);
  if (value == kOverflow) return std::unexpected(Errno::einval);
  if (kOverflow - description.counter <= value) return context.would_block(fd, description);
  raise_counter(context.machine, description, value, &context.process);
  return kCounterBytes;
}

std::int16_t eventfd_events(const Description& description) {
  int events = 0;
  if (description.counter > 0) events |= abi::pollin;
  if (description.counter == kOverflow) events |= abi::pollerr;
  if (description.counter < kOverflow - 1) events |= abi::pollout;
  return static_cast<std::int16_t>(events);
}

}  // namespace vcpr::machine
