#include "properties/streams/stream_sender.hpp"

#include <algorithm>
#include <array>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"

namespace vcpr::streams {

std::size_t StreamSender::riding_now() const {
  auto later = std::ranges::find_if(rides_, [&](const wire::RidingFd& ride) { return ride.offset > offset_; });
  return std::min(static_cast<std::size_t>(later - rides_.begin()), kMostTogether);
}

/// A message that carries all the kernel takes leaves the rest to the next byte.
std::size_t StreamSender::message_size(std::size_t riding) const {
  std::size_t size = bytes_.size();
  if (riding < rides_.size()) {
    std::uint64_t next = rides_[riding].offset;
    size = std::min<std::uint64_t>(size, next > offset_ ? next - offset_ : 1);
  }
  return chunk_ == 0 ? size : std::min(size, chunk_);
}

Sent StreamSender::step() {
  if (bytes_.empty()) return Sent::all;
  std::size_t riding = riding_now();
  std::array<std::int32_t, kMostTogether> numbers;
  std::ranges::transform(rides_.first(riding), numbers.begin(), &wire::RidingFd::number);
  std::array<std::byte, os::scm_rights_space(kMostTogether)> buffer;
  std::span<const std::byte> control;
  if (riding > 0) control = os::write_scm_rights(buffer, std::span(numbers).first(riding));

  auto sent = kernel_.sendmsg(socket_, bytes_.first(message_size(riding)), control, os::abi::msg_nosignal);
  if (!sent) return Sent::nothing;
  bytes_ = bytes_.subspan(*sent);
  offset_ += *sent;
  rides_ = rides_.subspan(riding);
  return bytes_.empty() ? Sent::all : Sent::something;
}

}  // namespace vcpr::streams
