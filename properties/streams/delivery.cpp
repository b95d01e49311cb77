#include "properties/streams/delivery.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "engine/os/abi.hpp"
#include "properties/streams/riders.hpp"
#include "properties/streams/stand_in.hpp"
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

namespace {

/// The descriptors of a delivery as they are made.
class Preparation {
 public:
  Preparation(const TransferInput& input, machine::Process& source) : input_(input), source_(source) {}

  void add(const Rider& rider) {
    bool joins = rides_.size() % together() != 0;
    rides_.push_back({joins ? rides_.back().offset : rider.offset + input_.late, make(rider.name)});
  }
  std::vector<wire::RidingFd>& rides() { return rides_; }

 private:
  std::size_t together() const { return input_.together == 0 ? wire::kDescriptorsPerMessage : input_.together; }

  int make(std::string_view name) {
    if (input_.one_description && !rides_.empty()) return rides_.front().number;
    bool odd = input_.odd_kind != 0 && rides_.size() == input_.odd_entry;
    return source_.install(odd ? stand_in(static_cast<store::DescriptorKind>(input_.odd_kind)) : stand_in_for(name));
  }

  const TransferInput& input_;
  machine::Process& source_;
  std::vector<wire::RidingFd> rides_;
};

}  // namespace

std::vector<wire::RidingFd> Delivery::prepare(const TransferInput& input) {
  if (input.descriptor_limit != 0) target_->set_descriptor_limit(input.descriptor_limit);
  Preparation preparation(input, *source_);
  Riders riders(input.stream, handover::Encoding::transfer);
  Rider last;
  while (auto rider = riders.next()) preparation.add(last = *rider);
  for (int i = 0; i < input.surplus; ++i) preparation.add(last);
  auto& rides = preparation.rides();
  std::size_t missing = input.surplus < 0 ? static_cast<std::size_t>(-input.surplus) : 0;
  rides.resize(rides.size() - std::min(rides.size(), missing));
  return std::move(rides);
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
