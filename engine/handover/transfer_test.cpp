// The transfer as a specification, on the simulated machine (two processes, stepped in turn) and, where sockets
// themselves matter, on the Linux this runs on.
#include "engine/handover/transfer.hpp"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "engine/handover/drive.hpp"
#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::handover {
namespace {

namespace abi = os::abi;
using machine::Machine;
using machine::Process;
using machine::Truth;
using os::Errno;

constexpr const char* kPath = "/run/cpr.sock";
constexpr std::uint64_t kSecond = 1'000'000'000;

/// `count` eventfds under the names of vectors, each holding its own position plus one.
CprState vectors(os::Kernel& kernel, int count) {
  CprState state;
  for (int vector = 0; vector < count; ++vector) {
    os::Fd fd(kernel, kernel.eventfd(static_cast<std::uint32_t>(vector) + 1, abi::efd_nonblock).value_or(-1));
    EXPECT_TRUE(state.descriptors.save({"0000:00:05.0_interrupt", vector}, std::move(fd)));
  }
  EXPECT_TRUE(state.devices.add("0000:00:05.0", {1, 2, 3}));
  return state;
}

/// Steps both sides in turn until the target has the state and the source knows.
template <class Wait>
void hand_over(TransferSource& source, TransferTarget& target, Wait wait) {
  for (int turn = 0; turn < 10000; ++turn) {
    auto sent = source.advance();
    ASSERT_TRUE(sent) << sent.error().message();
    auto received = target.advance();
    ASSERT_TRUE(received) << received.error().message();
    if (received->done) target.acknowledge();
    if (sent->done) return;
    wait();
  }
  FAIL() << "source " << name(source.phase()) << ", target " << name(target.phase());
}

struct TransferTest : testing::Test {
  Machine machine{{.descriptor_limit = 4096}};
  Truth truth{machine};
  Process& old_process = machine.spawn();
  Process& new_process = machine.spawn();
  os::Kernel& old_kernel = old_process.kernel();
  os::Kernel& new_kernel = new_process.kernel();

  std::unique_ptr<TransferTarget> listen() { return std::make_unique<TransferTarget>(new_kernel, kPath); }
  auto pause() {
    return [this] { machine.advance_time(kConnectRetry.nanoseconds); };
  }
  /// A connection of the old process, for a peer that does not keep to the protocol.
  os::Fd connect_by_hand() {
    os::Fd socket(old_kernel, old_kernel.socket(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0).value_or(-1));
    EXPECT_TRUE(old_kernel.connect(socket.number(), kPath));
    return socket;
  }
  void send_bytes(const os::Fd& socket, std::span<const std::byte> bytes) {
    EXPECT_EQ(old_kernel.sendmsg(socket.number(), bytes, {}, abi::msg_nosignal), bytes.size());
  }
  /// Everything the new process held is closed, and its socket file gone.
  void expect_nothing_left_in_new() {
    EXPECT_EQ(truth.descriptors_open(new_process), 0u);
    EXPECT_EQ(truth.descriptors_in_flight(), 0u);
    EXPECT_EQ(truth.bad_closes(), 0u);
    EXPECT_EQ(new_kernel.unlink(kPath), std::unexpected(Errno::enoent));
  }
};

ErrorCode code_of(const Expected<Advance>& advanced) {
  return advanced ? ErrorCode{} : advanced.error().code;
}

// What arrives

TEST_F(TransferTest, EveryEntryArrivesAsTheSameOpenFileCloseOnExec) {
  CprState state = vectors(old_kernel, 300);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  hand_over(source, *target, pause());
  auto taken = target->take_state();
  ASSERT_TRUE(taken) << taken.error().message();
  ASSERT_EQ(taken->descriptors.size(), 300u);
  EXPECT_EQ(taken->devices.find("0000:00:05.0"), (store::DeviceIds{1, 2, 3}));
  for (store::Entry entry : taken->descriptors) {
    int in_old = state.descriptors.find(entry.key).value_or(-1);
    ASSERT_EQ(truth.description_of(new_process, entry.number), truth.description_of(old_process, in_old));
    ASSERT_EQ(new_kernel.fcntl(entry.number, abi::f_getfd, 0), abi::fd_cloexec);
    ASSERT_EQ(new_kernel.fcntl(entry.number, abi::f_getfl, 0).value_or(0) & abi::o_nonblock, abi::o_nonblock);
  }
  EXPECT_EQ(source.phase(), SourcePhase::done);
  EXPECT_EQ(target->phase(), TargetPhase::done);
}

TEST_F(TransferTest, NothingIsLeakedOnEitherSide) {
  {
    CprState state = vectors(old_kernel, 20);
    auto target = listen();
    TransferSource source(old_kernel, kPath, state);
    hand_over(source, *target, pause());
    EXPECT_EQ(truth.descriptors_open(old_process), 20u) << "the old process keeps its own until it ends";
    auto taken = target->take_state();
    EXPECT_EQ(truth.descriptors_open(new_process), 20u);
  }
  EXPECT_EQ(truth.descriptors_open(old_process), 0u);
  expect_nothing_left_in_new();
}

TEST_F(TransferTest, AStateThatIsNotTakenIsClosedWithTheTarget) {
  CprState state = vectors(old_kernel, 20);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  hand_over(source, *target, pause());
  target.reset();
  expect_nothing_left_in_new();
}

TEST_F(TransferTest, AStateIsTakenOnceAndOnlyWhenItIsThere) {
  CprState state = vectors(old_kernel, 1);
  auto target = listen();
  EXPECT_EQ(target->take_state().error().code, ErrorCode::bad_state);
  TransferSource source(old_kernel, kPath, state);
  hand_over(source, *target, pause());
  EXPECT_TRUE(target->take_state());
  EXPECT_EQ(target->take_state().error().code, ErrorCode::bad_state);
}

TEST_F(TransferTest, TheSourceIsDoneOnlyAfterTheTargetAcknowledges) {
  CprState state = vectors(old_kernel, 1);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(source.advance());
  target->acknowledge();
  ASSERT_TRUE(target->advance()->done) << "acknowledging before the load means nothing";
  EXPECT_EQ(target->phase(), TargetPhase::loaded);
  EXPECT_FALSE(source.advance()->done);
  EXPECT_EQ(source.phase(), SourcePhase::waiting_for_hang_up);
  target->acknowledge();
  target->acknowledge();
  EXPECT_TRUE(source.advance()->done);
}

TEST_F(TransferTest, AStateLargerThanTheSocketTakesSeveralTurns) {
  Machine small({.descriptor_limit = 4096, .socket_buffer_bytes = 4608});
  Process& sender = small.spawn();
  Process& receiver = small.spawn();
  CprState state = vectors(sender.kernel(), 500);
  TransferTarget target(receiver.kernel(), kPath);
  TransferSource source(sender.kernel(), kPath, state);
  auto first = source.advance();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->events, abi::pollout);
  hand_over(source, target, [&] { small.advance_time(1); });
  EXPECT_EQ(target.take_state()->descriptors.size(), 500u);
}

TEST_F(TransferTest, TheRecordIsOfTheMomentOfConstruction) {
  CprState state = vectors(old_kernel, 2);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  EXPECT_EQ(source.generation(), state.descriptors.generation());
  ASSERT_TRUE(source.advance());
  ASSERT_TRUE(state.descriptors.remove({"0000:00:05.0_interrupt", 1}));
  EXPECT_NE(source.generation(), state.descriptors.generation()) << "the caller must record and send anew";
  hand_over(source, *target, pause());
  EXPECT_EQ(target->take_state()->descriptors.size(), 2u);
}

TEST_F(TransferTest, ANumberThatMayHaveBecomeAnotherFileIsNotSent) {
  CprState state = vectors(old_kernel, 2);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(state.descriptors.remove({"0000:00:05.0_interrupt", 1}));
  EXPECT_EQ(code_of(source.advance()), ErrorCode::bad_state);
  EXPECT_EQ(source.phase(), SourcePhase::failed);
}

// Who comes first, and who does not come

TEST_F(TransferTest, TheSourceWaitsForATargetThatIsStillStarting) {
  CprState state = vectors(old_kernel, 3);
  TransferSource source(old_kernel, kPath, state);
  for (int turn = 0; turn < 5; ++turn) {
    auto waiting = source.advance();
    ASSERT_TRUE(waiting) << waiting.error().message();
    EXPECT_EQ(waiting->fd, -1);
    EXPECT_EQ(waiting->until.nanoseconds, machine.now() + kConnectRetry.nanoseconds);
    machine.advance_time(kConnectRetry.nanoseconds);
  }
  auto target = listen();
  hand_over(source, *target, pause());
}

TEST_F(TransferTest, ASourceWithoutTargetGivesUpExactlyAtItsDeadline) {
  CprState state = vectors(old_kernel, 1);
  Timeouts timeouts{.connect = os::Duration::milliseconds(25)};
  TransferSource source(old_kernel, kPath, state, timeouts);
  auto driven = drive(old_kernel, source);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
  EXPECT_EQ(driven.error().os, Errno::enoent);
  EXPECT_EQ(machine.now(), 25'000'000u);
  EXPECT_EQ(truth.descriptors_open(old_process), 1u) << "the state is untouched, the socket closed";
}

TEST_F(TransferTest, ATargetWithoutSourceGivesUpExactlyAtItsDeadline) {
  auto target = listen();
  auto driven = drive(new_kernel, *target);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
  EXPECT_EQ(machine.now(), 5 * kSecond);
  expect_nothing_left_in_new();
}

TEST_F(TransferTest, ASilentSourceTimesOutExactlyAtTheDeadlineWhereverItStops) {
  CprState state = vectors(old_kernel, 0);
  wire::Outbox out;
  ASSERT_TRUE(save_cpr_state(state, Encoding::transfer, out));
  for (std::size_t sent = 0; sent <= out.bytes.size(); ++sent) {
    auto target = listen();
    os::Fd source = connect_by_hand();
    if (sent != 0) send_bytes(source, std::span(out.bytes).first(sent));
    std::uint64_t began = machine.now();
    auto driven = drive(new_kernel, *target);
    ASSERT_FALSE(driven);
    EXPECT_EQ(driven.error().code, ErrorCode::timed_out) << driven.error().message();
    EXPECT_EQ(machine.now(), began + 5 * kSecond);
    expect_nothing_left_in_new();
  }
}

TEST_F(TransferTest, EveryTruncationBySourceThatClosesIsNamedWithItsOffset) {
  CprState state = vectors(old_kernel, 0);
  wire::Outbox out;
  ASSERT_TRUE(save_cpr_state(state, Encoding::transfer, out));
  for (std::size_t sent = 0; sent < out.bytes.size(); ++sent) {
    auto target = listen();
    {
      os::Fd source = connect_by_hand();
      if (sent != 0) send_bytes(source, std::span(out.bytes).first(sent));
    }
    auto driven = drive(new_kernel, *target);
    ASSERT_FALSE(driven);
    EXPECT_TRUE(driven.error().offset) << driven.error().message();
    EXPECT_EQ(target->phase(), TargetPhase::failed);
    expect_nothing_left_in_new();
  }
}

TEST_F(TransferTest, AnotherProtocolIsRefusedBeforeItsStreamEnds) {
  auto target = listen();
  os::Fd source = connect_by_hand();
  send_bytes(source, std::as_bytes(std::span("GET / HTTP", 10)));
  auto advanced = target->advance();
  ASSERT_FALSE(advanced);
  EXPECT_EQ(advanced.error().code, ErrorCode::bad_magic);
  expect_nothing_left_in_new();
}

TEST_F(TransferTest, ATargetThatNeverReadsIsGivenUp) {
  Machine small({.descriptor_limit = 4096, .socket_buffer_bytes = 4608});
  Process& sender = small.spawn();
  auto [ours, theirs] = sender.kernel().socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0).value();
  os::Fd peer(sender.kernel(), theirs);
  CprState state = vectors(sender.kernel(), 500);
  TransferSource source(sender.kernel(), os::Fd(sender.kernel(), ours), state);
  auto driven = drive(sender.kernel(), source);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
  EXPECT_EQ(small.now(), 5 * kSecond);
}

TEST_F(TransferTest, ATargetThatNeverHangsUpIsGivenUp) {
  auto target = listen();
  CprState state = vectors(old_kernel, 1);
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(source.advance());
  ASSERT_TRUE(target->advance()->done);
  std::uint64_t began = machine.now();
  auto driven = drive(old_kernel, source);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
  EXPECT_EQ(machine.now(), began + 30 * kSecond);
}

TEST_F(TransferTest, ATargetThatDiesBeforeReadingIsNoTargetThatHungUp) {
  auto target = listen();
  CprState state = vectors(old_kernel, 1);
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(source.advance());
  EXPECT_EQ(source.phase(), SourcePhase::waiting_for_hang_up);
  new_process.kill();
  EXPECT_EQ(code_of(source.advance()), ErrorCode::peer_closed);
  EXPECT_EQ(source.phase(), SourcePhase::failed);
  EXPECT_EQ(truth.descriptors_open(old_process), 1u);
}

TEST_F(TransferTest, ATargetThatHangsUpWhileTheStateIsSentHasClosed) {
  CprState state = vectors(old_kernel, 1);
  auto [ours, theirs] = old_kernel.socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock, 0).value();
  ASSERT_TRUE(old_kernel.close(theirs));
  TransferSource source(old_kernel, os::Fd(old_kernel, ours), state);
  EXPECT_EQ(code_of(source.advance()), ErrorCode::peer_closed);
}

TEST_F(TransferTest, ASecondConnectionFindsNobody) {
  auto target = listen();
  CprState state = vectors(old_kernel, 1);
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(source.advance());
  ASSERT_TRUE(target->advance());
  Process& third = machine.spawn();
  CprState other = vectors(third.kernel(), 1);
  TransferSource late(third.kernel(), kPath, other);
  auto driven = drive(third.kernel(), late);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
}

TEST_F(TransferTest, ASocketFileOfAnotherProcessIsRefusedAndLeftAlone) {
  auto first = listen();
  TransferTarget second(old_kernel, kPath);
  auto advanced = second.advance();
  ASSERT_FALSE(advanced);
  EXPECT_EQ(advanced.error().os, Errno::eaddrinuse);
  EXPECT_EQ(code_of(second.advance()), ErrorCode::bad_state);
  second.cancel();
  EXPECT_TRUE(new_kernel.unlink(kPath)) << "still there";
}

TEST_F(TransferTest, AListenerThatTheCallerMadeServesAsWell) {
  os::Fd listener(new_kernel, new_kernel.socket(abi::af_unix, abi::sock_stream, 0).value_or(-1));
  ASSERT_TRUE(new_kernel.bind(listener.number(), kPath));
  ASSERT_TRUE(new_kernel.listen(listener.number(), 1));
  TransferTarget target(new_kernel, std::move(listener), TransferTarget::Given::listening);
  ASSERT_TRUE(target.advance()) << "a blocking listener does not block it";
  CprState state = vectors(old_kernel, 2);
  TransferSource source(old_kernel, kPath, state);
  hand_over(source, target, pause());
  EXPECT_TRUE(target.take_state());
  EXPECT_TRUE(new_kernel.unlink(kPath)) << "the caller's file is the caller's";
}

// Descriptors

TEST_F(TransferTest, AWrongKindIsRefusedBeforeTheTargetIsDone) {
  CprState state;
  os::Fd memfd(old_kernel, old_kernel.memfd_create("ram", 0).value_or(-1));
  ASSERT_TRUE(state.descriptors.save({"0000:00:05.0_interrupt", 0}, std::move(memfd)));
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  ASSERT_TRUE(source.advance());
  EXPECT_EQ(code_of(target->advance()), ErrorCode::wrong_kind);
  EXPECT_EQ(target->phase(), TargetPhase::failed);
  expect_nothing_left_in_new();
}

TEST_F(TransferTest, ANewProcessWithoutRoomLosesADescriptorAndSaysSo) {
  Machine tight({.descriptor_limit = 40});
  Process& sender = tight.spawn();
  Process& receiver = tight.spawn();
  std::vector<os::Fd> used;
  for (int i = 0; i < 30; ++i) used.emplace_back(receiver.kernel(), receiver.kernel().eventfd(0, 0).value_or(-1));
  CprState state = vectors(sender.kernel(), 20);
  TransferTarget target(receiver.kernel(), kPath);
  TransferSource source(sender.kernel(), kPath, state);
  ASSERT_TRUE(source.advance());
  EXPECT_EQ(code_of(target.advance()), ErrorCode::lost_descriptor);
  EXPECT_EQ(Truth(tight).descriptors_open(receiver), 30u);
  EXPECT_EQ(Truth(tight).descriptors_in_flight(), 0u);
}

// Giving up

TEST_F(TransferTest, CancelEndsEitherSideInEveryPhaseAndTwice) {
  for (int steps = 0; steps < 3; ++steps) {
    CprState state = vectors(old_kernel, 5);
    auto target = listen();
    TransferSource source(old_kernel, kPath, state);
    for (int step = 0; step < steps; ++step) {
      ASSERT_TRUE(source.advance());
      ASSERT_TRUE(target->advance());
    }
    for (int twice = 0; twice < 2; ++twice) {
      source.cancel();
      target->cancel();
      EXPECT_EQ(source.phase(), SourcePhase::failed);
      EXPECT_EQ(target->phase(), TargetPhase::failed);
    }
    EXPECT_EQ(code_of(source.advance()), ErrorCode::bad_state);
    EXPECT_EQ(code_of(target->advance()), ErrorCode::bad_state);
    EXPECT_EQ(truth.descriptors_open(old_process), 5u);
    expect_nothing_left_in_new();
  }
}

TEST_F(TransferTest, CancelAfterTheEndChangesNothing) {
  CprState state = vectors(old_kernel, 1);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  hand_over(source, *target, pause());
  source.cancel();
  target->cancel();
  EXPECT_EQ(source.phase(), SourcePhase::done);
  EXPECT_EQ(target->phase(), TargetPhase::done);
  EXPECT_TRUE(target->take_state());
}

TEST_F(TransferTest, ADeadImageSaysGone) {
  CprState state = vectors(old_kernel, 1);
  auto target = listen();
  TransferSource source(old_kernel, kPath, state);
  old_process.kill();
  new_process.kill();
  EXPECT_EQ(code_of(source.advance()), ErrorCode::gone);
  EXPECT_EQ(code_of(target->advance()), ErrorCode::gone);
}

/// Fails one call of one process.
struct OneFault : machine::Schedule {
  Process* process = nullptr;
  std::uint64_t call = 0;
  machine::FaultRule rule{};
  bool met = false;
  machine::FaultPoint before(const machine::CallSite& site) override {
    if (site.process != process || site.own_number != call || site.call != rule.call) return {};
    met = true;
    return rule.point;
  }
};

/// Either side; every call; every fault that call knows: it succeeds, or is refused and leaves nothing open.
TEST(TransferFaults, NoSingleFaultLeaksOrHangs) {
  int met = 0;
  for (bool in_old : {true, false}) {
    for (std::uint64_t call = 0; call < 80; ++call) {
      for (const machine::FaultRule& rule : machine::fault_table()) {
        Machine machine;
        Truth truth(machine);
        Process& old_process = machine.spawn();
        Process& new_process = machine.spawn();
        CprState state = vectors(old_process.kernel(), 3);
        OneFault fault;
        fault.process = in_old ? &old_process : &new_process;
        fault.call = call + (in_old ? truth.calls_of(old_process, machine::Call::eventfd) : 0);
        fault.rule = rule;
        machine.set_schedule(&fault);
        {
          TransferTarget target(new_process.kernel(), kPath);
          TransferSource source(old_process.kernel(), kPath, state);
          for (int turn = 0; turn < 10000; ++turn) {
            auto sent = source.advance();
            auto received = target.advance();
            if (received && received->done) target.acknowledge();
            bool source_ended = !sent || sent->done;
            bool target_ended = !received || received->done;
            if (source_ended && target_ended) break;
            machine.advance_time(10'000'000);
          }
          EXPECT_TRUE(source.phase() == SourcePhase::done || source.phase() == SourcePhase::failed);
          EXPECT_TRUE(target.phase() == TargetPhase::done || target.phase() == TargetPhase::failed);
        }
        met += fault.met;
        EXPECT_EQ(truth.descriptors_open(old_process), 3u) << rule.name << " at call " << call;
        EXPECT_EQ(truth.descriptors_open(new_process), 0u) << rule.name << " at call " << call;
        EXPECT_EQ(truth.bad_closes(), 0u) << rule.name << " at call " << call;
        machine.set_schedule(nullptr);
      }
    }
  }
  EXPECT_GT(met, 20);
}

// On Linux

struct RealTransfer : testing::Test {
  std::unique_ptr<os::Kernel> kernel = os::linux_kernel();
  std::string folder = "/tmp/vcpr-transfer-XXXXXX";
  std::string path;

  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    path = folder + "/cpr.sock";
  }
  void TearDown() override { EXPECT_EQ(::rmdir(folder.c_str()), 0) << "the socket file is gone"; }
};

TEST_F(RealTransfer, EveryEntryArrives) {
  CprState state = vectors(*kernel, 200);
  TransferTarget target(*kernel, path);
  TransferSource source(*kernel, path, state);
  hand_over(source, target, [] {});
  auto taken = target.take_state();
  ASSERT_TRUE(taken) << taken.error().message();
  for (store::Entry entry : taken->descriptors) {
    std::uint64_t value = 0;
    ASSERT_EQ(kernel->read(entry.number, std::as_writable_bytes(std::span(&value, 1))), 8u);
    EXPECT_EQ(value, static_cast<std::uint64_t>(entry.key.id) + 1);
  }
}

TEST_F(RealTransfer, APeerThatClosesUnreadIsNoAcknowledgement) {
  CprState state = vectors(*kernel, 1);
  auto target = std::make_unique<TransferTarget>(*kernel, path);
  TransferSource source(*kernel, path, state);
  ASSERT_TRUE(source.advance());
  target.reset();  // with the connection still in its backlog
  EXPECT_EQ(code_of(source.advance()), ErrorCode::peer_closed);
}

TEST_F(RealTransfer, TimesOut) {
  CprState state = vectors(*kernel, 1);
  TransferSource source(*kernel, path, state, {.connect = os::Duration::milliseconds(30)});
  auto driven = drive(*kernel, source);
  ASSERT_FALSE(driven);
  EXPECT_EQ(driven.error().code, ErrorCode::timed_out);
}

}  // namespace
}  // namespace vcpr::handover
