// Bytes and descriptors arrive whole, in order and owned, however the socket cuts them up.
#include "engine/wire/channel.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/os/scm_rights.hpp"
#include "engine/os/tracing_kernel.hpp"
#include "engine/wire/reader.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::wire {
namespace {

namespace abi = os::abi;

template <class T>
std::string refusal(const Expected<T>& result) {
  return result ? "no error" : result.error().message();
}

std::vector<std::byte> some_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

/// Lowers a limit of this process while it lives.
class Limit {
 public:
  Limit(__rlimit_resource resource, rlim_t value) : resource_(resource) {
    ::getrlimit(resource, &before_);
    rlimit lowered{.rlim_cur = value, .rlim_max = before_.rlim_max};
    ::setrlimit(resource, &lowered);
  }
  ~Limit() { ::setrlimit(resource_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

class ChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    auto ends = *kernel_->socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec, 0);
    near_ = os::Fd(*kernel_, ends.first);
    far_ = os::Fd(*kernel_, ends.second);
  }
  os::Fd memfd() { return os::Fd(*kernel_, *kernel_->memfd_create("channel-test", abi::mfd_cloexec)); }
  /// What tells two descriptions apart.
  std::uint64_t inode(int fd) { return kernel_->fstat(fd)->inode; }
  std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 1024; ++fd) {
      if (kernel_->fcntl(fd, abi::f_getfd, 0)) ++count;
    }
    return count;
  }
  /// `count` descriptors, each between runs of `gap` other bytes.
  Outbox outbox(std::size_t count, std::size_t gap) {
    Outbox out;
    Writer writer(out);
    for (std::size_t i = 0; i < count; ++i) {
      writer.bytes(some_bytes(gap));
      sources_.push_back(memfd());
      writer.descriptor(sources_.back().number());
    }
    writer.bytes(some_bytes(gap));
    return out;
  }
  /// Sends and receives in turn until the receiver has seen the end of the stream.
  void transfer(const Outbox& out, Inbox& in) {
    SocketSender sender(*kernel_, out);
    SocketReceiver receiver(*kernel_, in);
    bool sent = false;
    for (;;) {
      if (!sent) {
        auto progress = sender.advance(near_.number());
        ASSERT_TRUE(progress) << refusal(progress);
        sent = *progress == Progress::done;
        if (sent) {
          ASSERT_TRUE(kernel_->shutdown(near_.number(), abi::shut_wr));
        }
      }
      auto progress = receiver.advance(far_.number());
      ASSERT_TRUE(progress) << refusal(progress);
      if (*progress == Progress::done) break;
    }
    ASSERT_TRUE(sent);
  }
  /// Each descriptor is the one that was sent, close-on-exec, and not later than its byte.
  void expect_arrived(const Outbox& out, const Inbox& in) {
    EXPECT_EQ(in.bytes, out.bytes);
    ASSERT_EQ(in.descriptors.size(), out.descriptors.size());
    for (std::size_t i = 0; i < in.descriptors.size(); ++i) {
      int number = in.descriptors[i].fd.number();
      EXPECT_EQ(inode(number), inode(out.descriptors[i].number)) << i;
      EXPECT_EQ(kernel_->fcntl(number, abi::f_getfd, 0), abi::fd_cloexec);
      EXPECT_LE(in.descriptors[i].first_byte, out.descriptors[i].offset) << i;
    }
  }
  void send_raw(std::string_view text, const std::vector<std::int32_t>& fds) {
    std::vector<std::byte> control(os::scm_rights_space(fds.size()));
    auto used = fds.empty() ? std::span<const std::byte>() : os::write_scm_rights(control, fds);
    ASSERT_EQ(kernel_->sendmsg(near_.number(), std::as_bytes(std::span(text)), used, 0), text.size());
  }

  std::unique_ptr<os::Kernel> linux_ = os::linux_kernel();
  std::vector<std::string> trace_;
  std::unique_ptr<os::Kernel> kernel_ =
      os::tracing_kernel(*linux_, [this](std::string_view line) { trace_.emplace_back(line); });
  os::Fd near_;
  os::Fd far_;
  std::vector<os::Fd> sources_;
};

TEST_F(ChannelTest, EveryMixOfBytesAndDescriptorsArrives) {
  for (std::size_t count : {0u, 1u, 15u, 16u, 17u, 32u, 33u, 100u}) {
    for (std::size_t gap : {0u, 1u, 40u, 5000u}) {
      SetUp();
      sources_.clear();
      Outbox out = outbox(count, gap);
      Inbox in;
      transfer(out, in);
      expect_arrived(out, in);
    }
  }
}

TEST_F(ChannelTest, AMessageReachesToTheByteOfIts16thDescriptor) {
  Outbox out = outbox(33, 2);
  trace_.clear();
  SocketSender sender(*kernel_, out);
  EXPECT_EQ(*sender.advance(near_.number()), Progress::done);
  ASSERT_EQ(trace_.size(), 3u);
  EXPECT_NE(trace_[0].find(", 48 bytes, fds ["), std::string::npos) << trace_[0];
  EXPECT_NE(trace_[1].find(", 48 bytes, fds ["), std::string::npos) << trace_[1];
  EXPECT_NE(trace_[2].find(", 5 bytes, fds ["), std::string::npos) << trace_[2];
  for (const std::string& line : trace_) EXPECT_TRUE(line.find("MSG_NOSIGNAL") != line.npos) << line;
}

TEST_F(ChannelTest, SixteenDescriptorsAndWhatFollowsGoInOneMessage) {
  Outbox out = outbox(16, 2);
  trace_.clear();
  EXPECT_EQ(*SocketSender(*kernel_, out).advance(near_.number()), Progress::done);
  EXPECT_EQ(trace_.size(), 1u);
}

TEST_F(ChannelTest, AShortSendDoesNotSendItsDescriptorsAgain) {
  // One descriptor before and one after what the socket can hold at once.
  Outbox out;
  Writer writer(out);
  sources_.push_back(memfd());
  sources_.push_back(memfd());
  writer.descriptor(sources_[0].number());
  writer.bytes(some_bytes(2u << 20));
  writer.descriptor(sources_[1].number());
  SocketSender sender(*kernel_, out);
  EXPECT_EQ(*sender.advance(near_.number()), Progress::would_block);
  EXPECT_EQ(*sender.advance(near_.number()), Progress::would_block) << "still nobody reads";
  Inbox in;
  SocketReceiver receiver(*kernel_, in);
  for (Progress progress = Progress::would_block; progress != Progress::done;) {
    EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
    progress = *sender.advance(near_.number());
  }
  near_.reset();
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::done);
  expect_arrived(out, in);
}

TEST_F(ChannelTest, NothingToReadIsNotTheEnd) {
  Inbox in;
  SocketReceiver receiver(*kernel_, in);
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
  near_.reset();
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::done);
  EXPECT_TRUE(in.bytes.empty());
}

TEST_F(ChannelTest, AnEmptyOutboxIsSentWithoutACall) {
  Outbox out;
  trace_.clear();
  EXPECT_EQ(*SocketSender(*kernel_, out).advance(near_.number()), Progress::done);
  EXPECT_TRUE(trace_.empty());
}

TEST_F(ChannelTest, ABlockingSocketDoesNotBlock) {
  for (const os::Fd* end : {&near_, &far_}) ASSERT_TRUE(kernel_->fcntl(end->number(), abi::f_setfl, 0));
  Inbox in;
  EXPECT_EQ(*SocketReceiver(*kernel_, in).advance(far_.number()), Progress::would_block);
  Outbox out;
  Writer(out).bytes(some_bytes(2u << 20));
  EXPECT_EQ(*SocketSender(*kernel_, out).advance(near_.number()), Progress::would_block);
}

TEST_F(ChannelTest, FirstByteIsWhereAMessageWithDescriptorsBegins) {
  int fd = near_.number();
  Inbox in;
  SocketReceiver receiver(*kernel_, in);
  send_raw("abc", {});
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
  send_raw("de", {fd, fd});
  send_raw("f", {fd});
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
  ASSERT_EQ(in.descriptors.size(), 3u);
  EXPECT_EQ(in.descriptors[0].first_byte, 3u);
  EXPECT_EQ(in.descriptors[1].first_byte, 3u);
  EXPECT_EQ(in.descriptors[2].first_byte, 5u);
}

TEST_F(ChannelTest, AMessageFullOfDescriptorsFits) {
  send_raw("x", std::vector<std::int32_t>(os::kScmMaxFd, near_.number()));
  Inbox in;
  EXPECT_EQ(*SocketReceiver(*kernel_, in).advance(far_.number()), Progress::would_block);
  EXPECT_EQ(in.descriptors.size(), os::kScmMaxFd);
}

TEST_F(ChannelTest, ADescriptorThatCannotBeInstalledIsLostAndTheOthersAreOwned) {
  std::size_t before = open_descriptors();
  send_raw("abc", {near_.number(), near_.number(), near_.number()});
  // The lowest free number is one below the limit: one of the three fits.
  int lowest = *kernel_->fcntl(near_.number(), abi::f_dupfd, 0);
  ASSERT_TRUE(kernel_->close(lowest));
  {
    Limit limit(RLIMIT_NOFILE, static_cast<rlim_t>(lowest) + 1);
    Inbox in;
    EXPECT_EQ(refusal(SocketReceiver(*kernel_, in).advance(far_.number())),
              "lost_descriptor at byte 0: the kernel could not install every descriptor of a message (MSG_CTRUNC)");
    EXPECT_EQ(in.descriptors.size(), 1u);
    EXPECT_EQ(in.bytes.size(), 3u);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, APeerThatIsGoneIsNamed) {
  Outbox out = outbox(1, 1);
  SocketSender sender(*kernel_, out);
  far_.reset();
  EXPECT_EQ(refusal(sender.advance(near_.number())),
            "peer_closed: sendmsg to the socket at byte 0 of the stream (EPIPE)");
}

TEST_F(ChannelTest, APeerThatLeftWithUnreadBytesResetsTheReceiver) {
  ASSERT_TRUE(kernel_->write(far_.number(), some_bytes(1)));
  near_.reset();
  Inbox in;
  EXPECT_EQ(refusal(SocketReceiver(*kernel_, in).advance(far_.number())),
            "peer_closed: recvmsg from the socket at byte 0 of the stream (ECONNRESET)");
}

TEST_F(ChannelTest, OtherErrorsAreTheSystems) {
  Outbox out = outbox(1, 1);
  Inbox in;
  EXPECT_EQ(refusal(SocketSender(*kernel_, out).advance(sources_[0].number())),
            "os_error: sendmsg to the socket at byte 0 of the stream (ENOTSOCK)");
  EXPECT_EQ(refusal(SocketReceiver(*kernel_, in).advance(sources_[0].number())),
            "os_error: recvmsg from the socket at byte 0 of the stream (ENOTSOCK)");
  out.descriptors[0].number = 1'000'000;
  EXPECT_EQ(refusal(SocketSender(*kernel_, out).advance(near_.number())),
            "os_error: sendmsg to the socket at byte 0 of the stream (EBADF)");
}

TEST_F(ChannelTest, AnEndlessStreamIsRefusedAtItsLimit) {
  Inbox in;
  in.bytes.resize(kMaxStateBytes - 2);
  SocketReceiver receiver(*kernel_, in);
  send_raw("12", {});
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
  EXPECT_EQ(in.bytes.size(), kMaxStateBytes);
  send_raw("3", {near_.number()});
  EXPECT_EQ(refusal(receiver.advance(far_.number())),
            "too_long at byte 16777216: more than 16777216 bytes in one stream");
  EXPECT_EQ(in.bytes.size(), kMaxStateBytes);
  EXPECT_EQ(in.descriptors.size(), 1u) << "owned, so that it is closed";
}

TEST_F(ChannelTest, EndlessDescriptorsAreRefusedAtTheirLimit) {
  Inbox in;
  in.descriptors.resize(kMaxStateDescriptors - 1);
  SocketReceiver receiver(*kernel_, in);
  send_raw("1", {near_.number()});
  EXPECT_EQ(*receiver.advance(far_.number()), Progress::would_block);
  send_raw("2", {near_.number()});
  EXPECT_EQ(refusal(receiver.advance(far_.number())), "too_long at byte 1: more than 262144 descriptors in one stream");
}

TEST_F(ChannelTest, WhatIsLeftInAnInboxIsClosed) {
  Outbox out = outbox(20, 3);
  std::size_t before = open_descriptors();
  {
    Inbox in;
    transfer(out, in);
    EXPECT_EQ(open_descriptors(), before + 20);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, AMemfdGivesBackWhatWasWritten) {
  for (std::size_t size : {0u, 1u, 70000u}) {
    os::Fd file = memfd();
    auto bytes = some_bytes(size);
    ASSERT_TRUE(write_memfd(*kernel_, file.number(), bytes));
    EXPECT_EQ(kernel_->lseek(file.number(), 0, abi::seek_cur), size) << "left at the end";
    auto back = read_memfd(*kernel_, file.number());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, bytes);
    EXPECT_EQ(*read_memfd(*kernel_, file.number()), bytes) << "and once more";
  }
}

TEST_F(ChannelTest, AMemfdBeyondTheLimitIsNotRead) {
  os::Fd file = memfd();
  ASSERT_TRUE(kernel_->ftruncate(file.number(), kMaxStateBytes + 1));
  trace_.clear();
  EXPECT_EQ(refusal(read_memfd(*kernel_, file.number())), "too_long: the memfd has 16777217 bytes, more than 16777216");
  EXPECT_EQ(trace_.size(), 1u) << "only fstat was called";
  ASSERT_TRUE(kernel_->ftruncate(file.number(), kMaxStateBytes));
  EXPECT_EQ(read_memfd(*kernel_, file.number())->size(), kMaxStateBytes);
}

TEST_F(ChannelTest, AShortWriteGoesOnAndReportsTheByteThatFailed) {
  os::Fd file = memfd();
  auto previous = ::signal(SIGXFSZ, SIG_IGN);
  {
    Limit limit(RLIMIT_FSIZE, 5);
    EXPECT_EQ(refusal(write_memfd(*kernel_, file.number(), some_bytes(8))),
              "os_error: write to the memfd at byte 5 of the stream (EFBIG)");
  }
  ::signal(SIGXFSZ, previous);
}

TEST_F(ChannelTest, AMemfdThatRefusesIsReportedWithTheByte) {
  os::Fd file(*kernel_, *kernel_->memfd_create("sealed", abi::mfd_allow_sealing));
  ASSERT_TRUE(kernel_->fcntl(file.number(), abi::f_add_seals, abi::seal_grow));
  EXPECT_EQ(refusal(write_memfd(*kernel_, file.number(), some_bytes(3))),
            "os_error: write to the memfd at byte 0 of the stream (EPERM)");
  EXPECT_EQ(refusal(read_memfd(*kernel_, near_.number())), "os_error: lseek to the start of the memfd (ESPIPE)");
  EXPECT_EQ(refusal(read_memfd(*kernel_, -1)), "os_error: fstat of the memfd (EBADF)");
}

}  // namespace
}  // namespace vcpr::wire
