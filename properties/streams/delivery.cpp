#include "properties/streams/delivery.hpp"

#include <array>
#include <tuple>

#include "engine/os/abi.hpp"
#include "properties/streams/rides.hpp"
#include "properties/streams/stream_sender.hpp"

namespace vcpr::streams {

using handover::TransferTarget;

Delivery::Delivery(machine::Machine& machine) : source_(&machine.spawn()) {
  constexpr int kType = os::abi::sock_stream | os::abi::sock_nonblock | os::abi::sock_cloexec;
  auto pair = source_->kernel().socketpair(os::abi::af_unix, kType, 0);
  target_ = &machine.fork(*source_);
  if (!pair) return;  // a new process of a new machine has two descriptors free
  std::tie(source_socket_, target_socket_) = *pair;
  (void)source_->kernel().close(target_socket_);
  (void)target_->kernel().close(source_socket_);
}

std::vector<wire::RidingFd> Delivery::prepare(const TransferInput& input) {
  if (input.descriptor_limit != 0) target_->set_descriptor_limit(input.descriptor_limit);
  return make_rides(input, *source_);
}

void Delivery::end_stream(Ending ending) {
  os::Kernel& kernel = source_->kernel();
  if (ending == Ending::half_close) (void)kernel.shutdown(source_socket_, os::abi::shut_wr);
  if (ending == Ending::close) (void)kernel.close(source_socket_);
  if (ending == Ending::kill) source_->kill();
}

Expected<handover::CprState> Delivery::run(const TransferInput& input, std::span<const wire::RidingFd> rides) {
  StreamSender sender(source_->kernel(), source_socket_, input.stream, rides, input.chunk);
  TransferTarget target(target_->kernel(), os::Fd(target_->kernel(), target_socket_), TransferTarget::Given::connected,
                        input.peer);
  bool ended = false;
  while (true) {
    Sent sent = Sent::something;
    for (std::uint32_t i = 0; sent == Sent::something && (i == 0 || i != input.messages_per_step); ++i) {
      sent = sender.step();
    }
    if (sent == Sent::all && !ended) {
      ended = true;
      end_stream(input.ending);
    }
    auto advanced = target.advance();
    if (!advanced) return std::unexpected(std::move(advanced.error()));
    if (advanced->done) return target.take_state();
    // Nothing more comes: only the deadline is left.
    std::array wait = {os::PollFd{advanced->fd, advanced->events, 0}};
    if (sent != Sent::something) (void)target_->kernel().poll(wait, advanced->until);
  }
}

}  // namespace vcpr::streams
