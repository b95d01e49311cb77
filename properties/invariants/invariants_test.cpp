// Each invariant holds in a world that is right, and fires in one that was broken on purpose.
#include "properties/invariants/invariants.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include "engine/os/abi.hpp"
#include "properties/invariants/plain_state.hpp"

namespace vcpr::invariants {
namespace {

namespace abi = os::abi;

constexpr store::Key kVector{"0000:3a:00.1_interrupt", 0};
constexpr store::Key kRam{"ram0", 0};

/// Two processes after the handover of an eventfd and a memfd; new is a fork, so that numbers are equal.
class HandedOver : public ::testing::Test {
 protected:
  HandedOver() {
    vector_ = install(machine::FileKind::eventfd);
    ram_ = install(machine::FileKind::memfd);
    new_ = &machine_.fork(*old_);
    for (auto [process, state] : {std::pair(old_, &old_state_), std::pair(new_, &new_state_)}) {
      EXPECT_TRUE(state->descriptors.save(kVector, os::Fd(process->kernel(), vector_)));
      EXPECT_TRUE(state->descriptors.save(kRam, os::Fd(process->kernel(), ram_)));
    }
    EXPECT_TRUE(new_state_.descriptors.claim(kVector));
    EXPECT_TRUE(new_state_.descriptors.claim(kRam));
    recorded_ = record(*old_, old_state_);
    world_.machine = &machine_;
    world_.recorded = recorded_;
    world_.old_side = {old_, &old_state_, others_};
    world_.new_side = {new_, &new_state_, others_};
    world_.loaded = world_.claimed = true;
  }

  int install(machine::FileKind kind) {
    machine::Described described;
    described.kind = kind;
    described.close_on_exec = true;
    described.size = 4096;
    return old_->install(described);
  }
  /// The invariant by number.
  Verdict ask(std::string_view number) const {
    auto found = std::ranges::find(invariants(), number, &Invariant::number);
    EXPECT_NE(found, invariants().end());
    return found->check(world_);
  }
  std::string fired() const {
    std::string fired;
    for (const Invariant& invariant : invariants()) {
      if (invariant.check(world_)) fired.append(fired.empty() ? "" : " ").append(invariant.number);
    }
    return fired;
  }

  machine::Machine machine_;
  machine::Process* old_ = &machine_.spawn();
  machine::Process* new_ = nullptr;
  std::vector<int> others_{install(machine::FileKind::socket)};
  int vector_ = -1;
  int ram_ = -1;
  handover::CprState old_state_;
  handover::CprState new_state_;
  std::vector<RecordedEntry> recorded_;
  World world_;
};

TEST_F(HandedOver, BreaksNothing) {
  EXPECT_EQ(fired(), "");
  EXPECT_FALSE(check(world_, Moment::every_call));
  EXPECT_FALSE(check(world_, Moment::end));
}

TEST_F(HandedOver, I1FiresForALostEntry) {
  ASSERT_TRUE(new_state_.descriptors.remove(kRam));
  EXPECT_EQ(fired(), "I1");
  EXPECT_EQ(text(*check(world_, Moment::end)),
            "I1 every_saved_entry_arrives: wanted: old saved entry \"ram0\" id 0; found: new does not have it");
}

TEST_F(HandedOver, I1FiresForAnotherDescriptionUnderTheKey) {
  ASSERT_TRUE(new_state_.descriptors.remove(kRam));
  int fresh = *new_->kernel().memfd_create("ram", abi::mfd_cloexec);
  ASSERT_TRUE(new_state_.descriptors.save(kRam, os::Fd(new_->kernel(), fresh)));
  ASSERT_TRUE(new_state_.descriptors.claim(kRam));
  EXPECT_EQ(fired(), "I1");
}

TEST_F(HandedOver, I1FiresForAnEntryNobodySaved) {
  int extra = *new_->kernel().eventfd(0, abi::efd_cloexec);
  ASSERT_TRUE(new_state_.descriptors.save({"ram1", 0}, os::Fd(new_->kernel(), extra)));
  ASSERT_TRUE(new_state_.descriptors.claim({"ram1", 0}));
  EXPECT_EQ(fired(), "I1");
}

TEST_F(HandedOver, I1FiresForAnotherNumberAfterExec) {
  world_.encoding = handover::Encoding::exec;
  EXPECT_FALSE(ask("I1"));
  int copy = *new_->kernel().fcntl(ram_, abi::f_dupfd_cloexec, 20);
  ASSERT_TRUE(new_state_.descriptors.remove(kRam));
  ASSERT_TRUE(new_state_.descriptors.save(kRam, os::Fd(new_->kernel(), copy)));
  ASSERT_TRUE(new_state_.descriptors.claim(kRam));
  EXPECT_EQ(fired(), "I1");
}

TEST_F(HandedOver, I3FiresForADescriptorNobodyOwns) {
  ASSERT_TRUE(new_->kernel().eventfd(0, abi::efd_cloexec));
  EXPECT_EQ(fired(), "I3");
}

TEST_F(HandedOver, I3FiresForADescriptorLeftOverByARefusedLoad) {
  world_.new_side.state = nullptr;
  world_.loaded = world_.claimed = false;
  EXPECT_EQ(ask("I3")->wanted, "no entry of new owns number " + std::to_string(vector_));
}

TEST_F(HandedOver, I3FiresForADoubleClose) {
  EXPECT_FALSE(new_->kernel().close(77));
  EXPECT_EQ(fired(), "I3");
}

TEST_F(HandedOver, I4FiresWhenOldLosesWhatItSaved) {
  ASSERT_TRUE(old_->kernel().close(ram_));
  EXPECT_EQ(fired(), "I4 I5");
}

TEST_F(HandedOver, I4FiresForADoubleCloseInOld) {
  EXPECT_FALSE(old_->kernel().close(77));
  EXPECT_EQ(fired(), "I4");
}

TEST_F(HandedOver, I4IsSilentAboutWhatOldRemovedItself) {
  ASSERT_TRUE(old_state_.descriptors.remove(kRam));
  EXPECT_EQ(fired(), "");
}

TEST_F(HandedOver, I5FiresForAnEntryWhoseDescriptorIsClosed) {
  ASSERT_TRUE(new_->kernel().close(ram_));
  EXPECT_EQ(ask("I5")->wanted, "entry \"ram0\" id 0 of new has number " + std::to_string(ram_));
}

TEST_F(HandedOver, I6FiresForADescriptorThatSurvivesExecInNew) {
  ASSERT_TRUE(new_->kernel().fcntl(ram_, abi::f_setfd, 0));
  EXPECT_EQ(fired(), "I6");
}

TEST_F(HandedOver, I6FiresForOldOnlyOutsideAnExecAttempt) {
  ASSERT_TRUE(old_->kernel().fcntl(ram_, abi::f_setfd, 0));
  EXPECT_EQ(fired(), "I6");
  world_.exec_under_way = true;
  EXPECT_EQ(fired(), "");
}

TEST_F(HandedOver, I7FiresForAMovedOffset) {
  ASSERT_TRUE(new_->kernel().lseek(ram_, 100, 0));
  EXPECT_EQ(fired(), "I7");
}

TEST_F(HandedOver, I7FiresForAChangedBlockingMode) {
  ASSERT_TRUE(old_->kernel().fcntl(vector_, abi::f_setfl, abi::o_nonblock));
  EXPECT_EQ(fired(), "I7");
}

TEST_F(HandedOver, I9FiresForAnEntryNobodyWanted) {
  ASSERT_TRUE(new_state_.descriptors.unclaim(kRam));
  EXPECT_EQ(fired(), "I9");
  std::array optional{kRam};
  world_.optional_keys = optional;
  EXPECT_EQ(fired(), "");
}

TEST_F(HandedOver, S1FiresForAnAttemptThatHangs) {
  Attempt attempt;
  world_.attempt = &attempt;
  EXPECT_EQ(fired(), "");
  attempt.ended = false;
  EXPECT_EQ(fired(), "S1");
}

TEST_F(HandedOver, S2FiresForAnEndingOtherThanTheScenarioAsksFor) {
  Attempt attempt;
  attempt.wanted = "wrong_kind";
  attempt.outcome = "wrong_kind: entry \"ram0\" is a socket";
  world_.attempt = &attempt;
  EXPECT_EQ(fired(), "");
  attempt.outcome = "done";
  EXPECT_EQ(fired(), "S2");
}

TEST_F(HandedOver, S3FiresForASocketThatOldForgot) {
  ASSERT_TRUE(old_->kernel().socket(abi::af_unix, abi::sock_stream | abi::sock_cloexec, 0));
  EXPECT_EQ(fired(), "S3");
}

TEST_F(HandedOver, NothingFiresForTheDead) {
  new_->kill();
  EXPECT_EQ(fired(), "");
  old_->kill();
  EXPECT_EQ(fired(), "");
}

// Streams

std::vector<std::byte> stream_of(std::initializer_list<std::string_view> names) {
  machine::Machine machine;
  machine::Process& process = machine.spawn();
  handover::CprState state;
  for (std::string_view name : names) {
    int number = *process.kernel().eventfd(0, 0);
    EXPECT_TRUE(state.descriptors.save({name, 7}, os::Fd(process.kernel(), number)));
  }
  EXPECT_TRUE(state.devices.add("0000:3a:00.1", {1, 2, 3}));
  wire::Outbox out;
  EXPECT_TRUE(handover::save_cpr_state(state, handover::Encoding::transfer, out));
  return out.bytes;
}

TEST(PlainState, ReadsWhatTheEngineWritesInAnyOrder) {
  std::optional<PlainState> state = read_plainly(stream_of({"b", "a"}), handover::Encoding::transfer);
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, (PlainState{{{"a", 7}, {"b", 7}}, {{"0000:3a:00.1", 1, 2, 3}}}));
}

TEST(PlainState, RefusesEveryPrefixAndAnExtraByte) {
  std::vector<std::byte> stream = stream_of({"ram0"});
  for (std::size_t size = 0; size < stream.size(); ++size) {
    EXPECT_FALSE(read_plainly(std::span(stream).first(size), handover::Encoding::transfer)) << size;
  }
  stream.push_back(std::byte{0});
  EXPECT_FALSE(read_plainly(stream, handover::Encoding::transfer));
}

Verdict saved_twice(std::span<const std::byte> first, std::span<const std::byte> second) {
  SavedTwice twice{handover::Encoding::transfer, first, second};
  World world;
  world.saved_twice = &twice;
  return saving_what_was_loaded_gives_the_same_stream(world);
}

TEST(I38, HoldsForAnotherOrderAndFiresForAnotherEntry) {
  EXPECT_FALSE(saved_twice(stream_of({"a", "b"}), stream_of({"b", "a"})));
  EXPECT_TRUE(saved_twice(stream_of({"a", "b"}), stream_of({"a", "c"})));
  EXPECT_TRUE(saved_twice(stream_of({"a", "b"}), stream_of({"a"})));
  EXPECT_TRUE(saved_twice({}, {}));
}

Verdict damaged(std::span<const std::byte> stream, const Expected<handover::CprState>& result, std::uint64_t peak = 0) {
  DamagedLoad load{handover::Encoding::transfer, stream, &result, peak};
  World world;
  world.damaged = &load;
  return damage_is_refused_or_harmless(world);
}

TEST(I39, HoldsForARefusalThatSaysWhy) {
  Expected<handover::CprState> refused = refuse_at(ErrorCode::truncated, 3, {"magic: the stream ends"});
  EXPECT_FALSE(damaged(stream_of({"a"}), refused));
}

TEST(I39, FiresForAStateThatIsNotInTheStream) {
  Expected<handover::CprState> empty = handover::CprState();
  EXPECT_TRUE(damaged(stream_of({"a"}), empty));
  EXPECT_TRUE(damaged({}, empty));
  EXPECT_TRUE(damaged(stream_of({}), empty)) << "the device is missing";
}

TEST(I39, FiresForMemoryBeyondTheLimit) {
  Expected<handover::CprState> refused = refuse_at(ErrorCode::bad_length, 9, {"too long"});
  std::vector<std::byte> stream = stream_of({"a"});
  std::uint64_t limit = kLoadBytesAtLeast + kLoadBytesPerStreamByte * stream.size();
  EXPECT_FALSE(damaged(stream, refused, limit));
  EXPECT_TRUE(damaged(stream, refused, limit + 1));
}

TEST(I39, FiresForASilentRefusal) {
  EXPECT_TRUE(damaged({}, Expected<handover::CprState>(std::unexpected(Error{ErrorCode::truncated, "", {}, {}}))));
}

// What fuzz targets die in

TEST(ReportDeathTest, AbortsInAFunctionNamedAfterTheInvariant) {
  EXPECT_DEATH(report({"I3", "one owner", "two"}),
               "invariant_I3_every_received_descriptor_has_one_owner: wanted: one owner; found: two");
  EXPECT_DEATH(report({"S1", "an end", "none"}), "invariant_S1_every_attempt_ends");
}

TEST(Registry, HasEachInvariantOnce) {
  std::vector<std::string_view> numbers;
  for (const Invariant& invariant : invariants()) numbers.push_back(invariant.number);
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
  EXPECT_EQ(numbers.size(), 12u);
}

}  // namespace
}  // namespace vcpr::invariants
