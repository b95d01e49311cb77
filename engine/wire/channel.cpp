#include "engine/wire/channel.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"

namespace vcpr::wire {

namespace {

using os::Errno;
namespace abi = os::abi;

/// Asked for in one recvmsg. A message with descriptors ends the read, so it is rarely filled.
constexpr std::size_t kReceiveBytes = 32u << 10;

/// A failed send or receive: what the other side did, or what the system did.
std::unexpected<Error> refuse_socket(Errno error, std::string_view call, std::uint64_t offset) {
  Decimal at(offset);
  auto refusal = refuse_os(error, {call, " the socket at byte ", at, " of the stream"});
  if (error == Errno::epipe || error == Errno::econnreset) refusal.error().code = ErrorCode::peer_closed;
  return refusal;
}

std::unexpected<Error> refuse_memfd(Errno error, std::string_view call, std::uint64_t offset) {
  return refuse_os(error, {call, " the memfd at byte ", Decimal(offset), " of the stream"});
}

}  // namespace

SocketSender::Message SocketSender::next_message() const {
  auto riding = std::span(out_.descriptors).subspan(sent_descriptors_);
  bool last = riding.size() <= kDescriptorsPerMessage;
  if (!last) riding = riding.first(kDescriptorsPerMessage);
  std::uint64_t end = last ? out_.bytes.size() : riding.back().offset + 1;
  return {std::span(out_.bytes).subspan(sent_bytes_, end - sent_bytes_), riding};
}

Expected<Progress> SocketSender::advance(int socket) {
  while (sent_bytes_ < out_.bytes.size()) {
    Message message = next_message();
    std::array<std::int32_t, kDescriptorsPerMessage> numbers{};
    std::ranges::transform(message.riding, numbers.begin(), &RidingFd::number);
    std::array<std::byte, os::scm_rights_space(kDescriptorsPerMessage)> buffer;
    std::span<const std::byte> control;
    if (!message.riding.empty()) {
      control = os::write_scm_rights(buffer, std::span(numbers).first(message.riding.size()));
    }
    auto sent = kernel_.sendmsg(socket, message.bytes, control, abi::msg_nosignal | abi::msg_dontwait);
    if (!sent) {
      if (sent.error() == Errno::eagain) return Progress::would_block;
      return refuse_socket(sent.error(), "sendmsg to", sent_bytes_);
    }
    // Descriptors ride on the first byte: a short send has delivered all of them.
    sent_bytes_ += *sent;
    sent_descriptors_ += message.riding.size();
  }
  return Progress::done;
}

Expected<Progress> SocketReceiver::advance(int socket) {
  std::array<std::byte, kReceiveBytes> data;
  std::array<std::byte, os::scm_rights_space(os::kScmMaxFd)> control;
  for (;;) {
    auto received = kernel_.recvmsg(socket, data, control, abi::msg_dontwait | abi::msg_cmsg_cloexec);
    if (!received) {
      if (received.error() == Errno::eagain) return Progress::would_block;
      return refuse_socket(received.error(), "recvmsg from", in_.bytes.size());
    }
    auto kept = keep(std::span(data).first(received->bytes), std::span(control).first(received->control));
    if (!kept) return std::unexpected(kept.error());
    if ((received->flags & abi::msg_ctrunc) != 0) {
      return refuse_at(ErrorCode::lost_descriptor, in_.bytes.size() - received->bytes,
                       {"the kernel could not install every descriptor of a message (MSG_CTRUNC)"});
    }
    if (received->bytes == 0) return Progress::done;
  }
}

Expected<void> SocketReceiver::keep(std::span<const std::byte> data, std::span<const std::byte> control) {
  std::uint64_t first_byte = in_.bytes.size();
  os::for_each_scm_rights(control, [&](std::int32_t fd) {
    in_.descriptors.push_back({.first_byte = first_byte, .fd = os::Fd(kernel_, fd)});
  });
  if (in_.descriptors.size() > kMaxStateDescriptors) {
    return refuse_at(ErrorCode::too_long, first_byte,
                     {"more than ", Decimal(kMaxStateDescriptors), " descriptors in one stream"});
  }
  if (data.size() > kMaxStateBytes - first_byte) {
    return refuse_at(ErrorCode::too_long, first_byte, {"more than ", Decimal(kMaxStateBytes), " bytes in one stream"});
  }
  in_.bytes.insert(in_.bytes.end(), data.begin(), data.end());
  return {};
}

Expected<void> write_memfd(os::Kernel& kernel, int memfd, std::span<const std::byte> bytes) {
  for (std::uint64_t done = 0; done < bytes.size();) {
    auto written = kernel.write(memfd, bytes.subspan(done));
    if (!written) return refuse_memfd(written.error(), "write to", done);
    done += *written;
  }
  return {};
}

Expected<std::vector<std::byte>> read_memfd(os::Kernel& kernel, int memfd) {
  auto stat = kernel.fstat(memfd);
  if (!stat) return refuse_os(stat.error(), {"fstat of the memfd"});
  if (stat->size > kMaxStateBytes) {
    return refuse(ErrorCode::too_long,
                  {"the memfd has ", Decimal(stat->size), " bytes, more than ", Decimal(kMaxStateBytes)});
  }
  if (auto rewound = kernel.lseek(memfd, 0, abi::seek_set); !rewound) {
    return refuse_os(rewound.error(), {"lseek to the start of the memfd"});
  }
  std::vector<std::byte> bytes(stat->size);
  std::uint64_t done = 0;
  while (done < bytes.size()) {
    auto count = kernel.read(memfd, std::span(bytes).subspan(done));
    if (!count) return refuse_memfd(count.error(), "read from", done);
    if (*count == 0) break;  // it has shrunk
    done += *count;
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace vcpr::wire
