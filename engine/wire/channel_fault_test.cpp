// Whatever befalls any one call of a transfer, and whoever dies before it, the stream arrives whole or an error says
// why; nothing is sent twice, nothing is left open, nothing hangs.
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/wire/channel.hpp"
#include "engine/wire/writer.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::wire {
namespace {

namespace abi = os::abi;
using machine::Call;
using machine::CallSite;
using machine::FaultPoint;
using machine::Machine;
using machine::Process;
using machine::Truth;

constexpr std::size_t kEntries = 40;
/// A transfer of kEntries takes a dozen advances; one that needs more hangs.
constexpr int kMaxAdvances = 100;

/// Does one thing before one call.
class Before : public machine::Schedule {
 public:
  Before(std::uint64_t call, std::function<FaultPoint()> action) : call_(call), action_(std::move(action)) {}
  FaultPoint before(const CallSite& site) override { return site.number == call_ ? action_() : FaultPoint::none; }

 private:
  std::uint64_t call_;
  std::function<FaultPoint()> action_;
};

/// An old and a new process with a socket between them, on a machine of their own, and a stream to send.
class Pair {
 public:
  Pair() {
    for (std::size_t i = 0; i < kEntries; ++i) {
      sources_.emplace_back(sender.kernel(), *sender.kernel().eventfd(0, 0));
      sent_.push_back(truth.description_of(sender, sources_.back().number()));
      Writer(out_).be64(i);
      Writer(out_).descriptor(sources_.back().number());
    }
    (void)sender.kernel().close(ends.second);
    (void)receiver.kernel().close(ends.first);
  }

  /// Runs to an end and says which: "whole", "short" or the error.
  std::string transfer() {
    SocketSender sending(sender.kernel(), out_);
    SocketReceiver receiving(receiver.kernel(), in_);
    bool sent = false;
    for (int i = 0; i < kMaxAdvances; ++i) {
      if (!sent) {
        auto progress = sending.advance(near_.number());
        if (!progress && progress.error().code != ErrorCode::gone) return progress.error().message();
        sent = !progress || *progress == Progress::done;
        if (sent) near_.reset();
      }
      auto progress = receiving.advance(far_.number());
      if (!progress) return progress.error().message();
      if (*progress == Progress::done) return in_.bytes == out_.bytes && arrived() == sent_ ? "whole" : "short";
    }
    return "it hangs";
  }
  /// What is wrong after both have dropped everything; empty if nothing is.
  std::string left_over() {
    in_ = {};
    sources_.clear();
    near_.reset();
    far_.reset();
    if (truth.descriptions_open() != 0) return "left open: " + std::to_string(truth.descriptions_open());
    if (truth.descriptors_in_flight() != 0) return "left in flight";
    return truth.bad_closes() != 0 ? "closed twice" : "";
  }

  Machine world{machine::Switches{.socket_buffer_bytes = 4096}};
  Truth truth{world};
  Process& sender = world.spawn();
  std::pair<int, int> ends = *sender.kernel().socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0);
  Process& receiver = world.fork(sender);

 private:
  /// The descriptions that came, in order.
  std::vector<std::uint32_t> arrived() {
    std::vector<std::uint32_t> found;
    for (const ArrivedFd& one : in_.descriptors) found.push_back(truth.description_of(receiver, one.fd.number()));
    return found;
  }

  os::Fd near_{sender.kernel(), ends.first};
  os::Fd far_{receiver.kernel(), ends.second};
  std::vector<os::Fd> sources_;
  std::vector<std::uint32_t> sent_;
  Outbox out_;
  Inbox in_;
};

/// Runs a transfer with `action` before its n-th call, for every n until there is no such call; `judge` sees each end.
void sweep(const std::function<FaultPoint(Pair&)>& action, const std::function<void(const std::string&)>& judge) {
  bool acted = true;
  for (std::uint64_t n = 0; acted; ++n) {
    Pair pair;
    acted = false;
    Before schedule(pair.world.calls() + n, [&] {
      acted = true;
      return action(pair);
    });
    pair.world.set_schedule(&schedule);
    judge(pair.transfer());
    pair.world.set_schedule(nullptr);
    EXPECT_EQ(pair.left_over(), "") << "call " << n;
  }
}

TEST(ChannelFault, WithoutOneTheStreamArrives) {
  Pair pair;
  EXPECT_EQ(pair.transfer(), "whole");
  EXPECT_EQ(pair.left_over(), "");
}

/// What each fault of a call may end in, beside "whole" when it met nothing.
struct Ending {
  FaultPoint point{};
  std::string_view end;
};

TEST(ChannelFault, EveryFaultOfEveryCallEndsCleanly) {
  constexpr Ending kFaults[] = {
      {FaultPoint::sendmsg_short, "whole"},
      {FaultPoint::sendmsg_eagain, "whole"},
      {FaultPoint::recvmsg_short, "whole"},
      {FaultPoint::recvmsg_eagain, "whole"},
      {FaultPoint::sendmsg_enobufs, "os_error: sendmsg to the socket at byte "},
      {FaultPoint::sendmsg_etoomanyrefs, "os_error: sendmsg to the socket at byte "},
      {FaultPoint::recvmsg_emfile_truncates, "lost_descriptor at byte "},
  };
  for (const Ending& fault : kFaults) {
    int met = 0;
    auto inject = [&](Pair&) { return fault.point; };
    sweep(inject, [&](const std::string& end) {
      if (end.starts_with(fault.end)) ++met;
      EXPECT_TRUE(end == "whole" || end.starts_with(fault.end)) << name(fault.point) << ": " << end;
    });
    EXPECT_GE(met, 3) << name(fault.point) << " must have been met";
  }
}

TEST(ChannelFault, ADyingReceiverLeavesNothing) {
  sweep(
      [](Pair& pair) {
        pair.receiver.kill();
        return FaultPoint::none;
      },
      [](const std::string& end) {
        EXPECT_TRUE(end.starts_with("gone: ") || end.starts_with("peer_closed: ") || end == "whole") << end;
      });
}

TEST(ChannelFault, ADyingSenderEndsTheStreamEarly) {
  sweep(
      [](Pair& pair) {
        pair.sender.kill();
        return FaultPoint::none;
      },
      [](const std::string& end) { EXPECT_TRUE(end == "short" || end == "whole") << end; });
}

TEST(ChannelFault, AMemfdThatShrinksUnderTheReaderIsReadToItsEnd) {
  Machine world;
  Process& process = world.spawn();
  int memfd = *process.kernel().memfd_create("state", abi::mfd_cloexec);
  ASSERT_TRUE(write_memfd(process.kernel(), memfd, std::vector(100, std::byte{1})));
  Before shrink(world.calls() + 2, [&] {
    EXPECT_TRUE(process.kernel().ftruncate(memfd, 60));
    return FaultPoint::none;
  });
  world.set_schedule(&shrink);
  EXPECT_EQ(read_memfd(process.kernel(), memfd).value(), std::vector(60, std::byte{1}));
  world.set_schedule(nullptr);
}

TEST(ChannelFault, AMemfdTakesTheRestAfterAShortWriteAndReportsAFullOne) {
  Machine world;
  Process& process = world.spawn();
  int memfd = *process.kernel().memfd_create("state", abi::mfd_cloexec);
  std::vector bytes(100, std::byte{1});
  Before cut(world.calls(), [] { return FaultPoint::write_short; });
  world.set_schedule(&cut);
  ASSERT_TRUE(write_memfd(process.kernel(), memfd, bytes));
  EXPECT_EQ(read_memfd(process.kernel(), memfd).value(), bytes);
  Before fill(world.calls(), [] { return FaultPoint::write_enospc; });
  world.set_schedule(&fill);
  EXPECT_EQ(write_memfd(process.kernel(), memfd, bytes).error().message(),
            "os_error: write to the memfd at byte 0 of the stream (ENOSPC)");
  world.set_schedule(nullptr);
}

}  // namespace
}  // namespace vcpr::wire
