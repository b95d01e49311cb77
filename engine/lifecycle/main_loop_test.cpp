// The main loop on the simulated machine.
#include "engine/lifecycle/main_loop.hpp"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/fd.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::lifecycle {
namespace {

namespace abi = os::abi;
using machine::FaultPoint;

/// Meets every poll with one fault.
struct PollFault : machine::Schedule {
  FaultPoint point = FaultPoint::none;
  FaultPoint before(const machine::CallSite& site) override {
    return site.call == machine::Call::poll ? point : FaultPoint::none;
  }
};

struct MainLoopTest : testing::Test {
  struct Reader : FdHandler {
    std::function<void(int)> action;
    void ready(int fd) override { action(fd); }
  };
  struct Timer : TimerHandler {
    std::function<void()> action;
    void expired() override { action(); }
  };

  PollFault fault;
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  MainLoop loop{kernel};
  std::vector<std::string> calls;

  os::Fd eventfd(std::uint32_t initial = 0) {
    return {kernel, kernel.eventfd(initial, abi::efd_nonblock | abi::efd_cloexec).value_or(-1)};
  }
  void drain(int fd) {
    std::array<std::byte, 8> counter{};
    ASSERT_TRUE(kernel.read(fd, counter));
  }
  /// Notes the number; its eventfd stays signalled.
  Reader noting() {
    Reader reader;
    reader.action = [this](int fd) { calls.push_back(std::to_string(fd)); };
    return reader;
  }
  Timer noting(std::string text) {
    Timer timer;
    timer.action = [this, text] { calls.push_back(text); };
    return timer;
  }
  Expected<void> look() { return loop.turn({.nanoseconds = 0}); }
  std::vector<std::string> taken() { return std::exchange(calls, {}); }
  using Calls = std::vector<std::string>;
};

TEST_F(MainLoopTest, CallsTheReadableLowestDescriptorFirstForAsLongAsTheyAre) {
  os::Fd low = eventfd(1), quiet = eventfd(), high = eventfd(1);
  Reader reader = noting();
  for (const os::Fd* each : {&high, &quiet, &low}) loop.watch(each->number(), reader);
  Calls both = {std::to_string(low.number()), std::to_string(high.number())};
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), both);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), both) << "level triggered";
  drain(low.number());
  drain(high.number());
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, ADescriptorHasOneHandlerTheLast) {
  os::Fd fd = eventfd(1);
  Reader former, latter = noting();
  former.action = [](int) { FAIL(); };
  loop.watch(fd.number(), former);
  loop.watch(fd.number(), latter);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken().size(), 1u);
  loop.unwatch(fd.number());
  loop.unwatch(fd.number());
  EXPECT_FALSE(loop.is_watched(fd.number()));
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, AHandlerMayUnwatchWhatIsReadyToo) {
  os::Fd low = eventfd(1), high = eventfd(1);
  Reader reader, other = noting();
  reader.action = [&](int) {
    loop.unwatch(low.number());
    loop.unwatch(high.number());
  };
  loop.watch(low.number(), reader);
  loop.watch(high.number(), other);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, ADescriptorThatTookTheNumberOfAReadyOneIsNotCalledForIt) {
  os::Fd low = eventfd(1), high = eventfd(1), young;
  Reader reader, other = noting();
  reader.action = [&](int fd) {
    drain(fd);
    int number = high.number();
    loop.unwatch(number);
    high.reset();
    young = eventfd();
    ASSERT_EQ(young.number(), number);
    loop.watch(number, other);
  };
  loop.watch(low.number(), reader);
  loop.watch(high.number(), other);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, TimersWithOneDeadlineComeInTheOrderInWhichTheyWereSet) {
  Timer one = noting("one"), two = noting("two"), soon = noting("soon"), late = noting("late");
  loop.call_at({.nanoseconds = 2000}, one);
  loop.call_at({.nanoseconds = 2000}, two);
  loop.call_at({.nanoseconds = 3000}, late);
  loop.call_at({.nanoseconds = 1000}, soon);
  EXPECT_TRUE(loop.turn(os::Deadline::never()));
  EXPECT_EQ(taken(), Calls{"soon"});
  EXPECT_EQ(machine.now(), 1000u);
  machine.advance_time(1000);
  EXPECT_TRUE(loop.turn(os::Deadline::never()));
  EXPECT_EQ(taken(), (Calls{"one", "two"}));
  EXPECT_TRUE(loop.turn({.nanoseconds = 2500}));
  EXPECT_EQ(taken(), Calls{});
  EXPECT_EQ(machine.now(), 2500u);
}

TEST_F(MainLoopTest, ATimerThatIsLateByMoreComesFirst) {
  Timer one = noting("one"), two = noting("two");
  loop.call_at({.nanoseconds = 2000}, one);
  loop.call_at({.nanoseconds = 1000}, two);
  machine.advance_time(5000);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), (Calls{"two", "one"}));
}

TEST_F(MainLoopTest, AHandlerHasOneDeadlineTheLast) {
  Timer timer = noting("timer");
  loop.call_at({.nanoseconds = 1000}, timer);
  loop.call_at({.nanoseconds = 5000}, timer);
  machine.advance_time(2000);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
  machine.advance_time(3000);
  EXPECT_TRUE(look());
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{"timer"}) << "once";
  loop.call_at({.nanoseconds = 6000}, timer);
  loop.cancel(timer);
  loop.cancel(timer);
  machine.advance_time(2000);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, ATimerThatIsSetAgainWhenItExpiresWaitsForTheNextTurn) {
  Timer again;
  again.action = [&] {
    calls.emplace_back("again");
    loop.call_at({.nanoseconds = 0}, again);
  };
  loop.call_at({.nanoseconds = 0}, again);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{"again"});
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{"again"});
}

TEST_F(MainLoopTest, ATimerMayCancelAnother) {
  Timer one, two = noting("two");
  one.action = [&] { loop.cancel(two); };
  loop.call_at({.nanoseconds = 0}, one);
  loop.call_at({.nanoseconds = 0}, two);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{});
}

TEST_F(MainLoopTest, ASignalEndsTheTurnAndIsNoError) {
  os::Fd fd = eventfd(1);
  Reader reader = noting();
  Timer timer = noting("timer");
  loop.watch(fd.number(), reader);
  loop.call_at({.nanoseconds = 0}, timer);
  fault.point = FaultPoint::poll_eintr;
  machine.set_schedule(&fault);
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{"timer"});
  fault.point = FaultPoint::poll_enomem;
  auto refused = look();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os, os::Errno::enomem);
  fault.point = FaultPoint::none;
  EXPECT_TRUE(look());
  EXPECT_EQ(taken(), Calls{std::to_string(fd.number())});
  machine.set_schedule(nullptr);
}

TEST_F(MainLoopTest, ADeadProcessIsSaid) {
  process.kill();
  auto refused = look();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::gone);
}

TEST_F(MainLoopTest, AWatchedDescriptorThatWasClosedIsAnErrorAndNotABusyLoop) {
  os::Fd closed = eventfd(), open = eventfd(1);
  int number = closed.number();
  Reader reader = noting();
  loop.watch(number, reader);
  loop.watch(open.number(), reader);
  closed.reset();
  auto refused = look();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_descriptor);
  EXPECT_EQ(taken(), Calls{std::to_string(open.number())});
}

TEST_F(MainLoopTest, TheCallersDescriptorEndsTheWaitAndIsCalledByNobody) {
  os::Fd fd = eventfd(1);
  Reader reader = noting();
  Timer timer = noting("timer");
  loop.call_at({.nanoseconds = 1'000'000}, timer);
  EXPECT_TRUE(loop.turn(os::Deadline::never(), fd.number(), abi::pollin));
  EXPECT_EQ(machine.now(), 0u);
  drain(fd.number());
  loop.watch(fd.number(), reader);
  EXPECT_TRUE(loop.turn(os::Deadline::never(), fd.number(), abi::pollout)) << "writable, not readable";
  EXPECT_EQ(taken(), Calls{});
}

}  // namespace
}  // namespace vcpr::lifecycle
