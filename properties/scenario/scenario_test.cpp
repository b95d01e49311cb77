// The model: text and bytes lead to the same scenario, whatever the bytes; every change of a scenario is a scenario.
#include "properties/scenario/scenario.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace vcpr::scenario {
namespace {

constexpr std::string_view kEveryKindOfLine = R"(vcpr scenario 1
mode exec
accept qemu-10.0
handovers 2
descriptor-limit 64
socket-buffer 4096 bytes
turns 5
connect-timeout 10 ms
transfer-timeout 20 ms
hang-up-timeout 1 ms
claiming listed
save "ram0" id 0 memfd bytes 65536 offset 100 seals 7
save "0000:3a:00.1_interrupt" id 3 eventfd counter 4 nonblocking semaphore kept-on-exec
save "vfio_container_for_group" id 12 vfio-container
save "vfio_container_for_group" id -13 same-as 2
save "vfio_group" id 12 vfio-group 12
save "0000:3a:00.1" id 0 vfio-device 1
save "iommufd0" id 0 iommufd
save long 1024 b id 0 socket nonblocking
save "" id 0 null-device
device "0000:3a:00.1" devid 1 ioas 2 hwpt 4
claim entry 0
claim entry 0
at 1 call 17 fault sendmsg_short times 3
at 1 call 20 kill-new
at 2 call 0 advance 1500 us
at 2 call 1 signal entry 1
at 2 call 1 drop-entry entry 8
at 2 call 2 step-other
)";

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t most) {
  std::vector<std::uint8_t> bytes(random() % (most + 1));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 16);
  return bytes;
}

std::string reason_of(std::string_view text) {
  auto parsed = parse(text);
  return parsed ? "parsed" : parsed.error().message();
}

TEST(Text, IsTheIdentityOverEveryKindOfLine) {
  auto scenario = parse(kEveryKindOfLine);
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(print(decode(encode(*scenario))), kEveryKindOfLine);
}

TEST(Text, LeavesOutWhatIsUsualAndIgnoresCommentsAndSpace) {
  auto scenario = parse("# why\n\n vcpr  scenario 1\r\n  save \"ram0\"   id 0 memfd bytes 0 offset 0 seals 0 # RAM\n");
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(print(*scenario), "vcpr scenario 1\nmode transfer\nsave \"ram0\" id 0 memfd bytes 0 offset 0 seals 0\n");
}

TEST(Text, SaysInWhichLineAndWhy) {
  EXPECT_EQ(reason_of(""), "line 1: a scenario begins with 'vcpr scenario 1'");
  EXPECT_EQ(reason_of("vcpr scenario 2\n"), "line 1: expected '1' at '2'");
  EXPECT_EQ(reason_of("vcpr scenario 1\nmode fast\n"), "line 2: no mode is called 'fast'");
  EXPECT_EQ(reason_of("vcpr scenario 1\n\nhandovers 9\n"), "line 3: expected a number from 1 to 4, found '9'");
  EXPECT_EQ(reason_of("vcpr scenario 1\nhandovers 1 2\n"), "line 2: too much: '2'");
  EXPECT_EQ(reason_of("vcpr scenario 1\nsave \"disk\" id 0 eventfd counter 0\n"),
            "line 2: no family of names has \"disk\"");
  EXPECT_EQ(reason_of("vcpr scenario 1\nsave \"ram0\" id 0 same-as 0\n"),
            "line 2: the first entry cannot be the same as an earlier one");
  EXPECT_EQ(reason_of("vcpr scenario 1\nsave \"ram0\" id 0 socket semaphore\n"), "line 2: a socket has no such flag");
  EXPECT_EQ(reason_of("vcpr scenario 1\nat 2 call 0 kill-old\n"), "line 2: expected a number from 1 to 1, found '2'");
  EXPECT_EQ(reason_of("vcpr scenario 1\nat 1 call 0 fault bad_luck\n"), "line 2: no fault point is called 'bad_luck'");
  EXPECT_EQ(reason_of("vcpr scenario 1\nclaim entry 0\n"),
            "line 2: 'claiming listed' must come before the first claim");
  EXPECT_EQ(reason_of("vcpr scenario 1\nat 1 call 0 signal entry 0\n"), "line 2: event on entry 0, which is not saved");
}

TEST(Bytes, NoneAreThePlainHandover) {
  EXPECT_EQ(decode({}), Scenario());
  EXPECT_EQ(decode(std::vector<std::uint8_t>(kConfigBytes)), Scenario());
}

TEST(Bytes, AlwaysDecodeToANormalScenarioWithOneCanonicalForm) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    Scenario scenario = decode(random_bytes(random, 600));
    Scenario normal = scenario;
    normalise(normal);
    ASSERT_EQ(normal, scenario);
    ASSERT_EQ(decode(encode(scenario)), scenario);
    auto parsed = parse(print(scenario));
    ASSERT_TRUE(parsed) << parsed.error().message() << "\n" << print(scenario);
    ASSERT_EQ(*parsed, scenario) << print(scenario);
  }
}

TEST(Bytes, BeyondTheLimitsAreIgnored) {
  std::vector<std::uint8_t> bytes(kConfigBytes + kRecordBytes * 5000);
  EXPECT_EQ(decode(bytes).entries.size(), kMaxEntries);
}

TEST(Bytes, OfSeededScenariosNeverChange) {
  auto scenario = parse("vcpr scenario 1\nmode exec\nsave \"iommufd1\" id 2 iommufd\nat 1 call 7 advance 256 us\n");
  ASSERT_TRUE(scenario);
  std::vector<std::uint8_t> expected{1, 2};
  expected.resize(kConfigBytes);
  for (int byte : {0, 5, 11, 1, 0, 2, 0, 0, 0}) expected.push_back(static_cast<std::uint8_t>(byte));
  expected.resize(kConfigBytes + kRecordBytes);
  for (int byte : {1, 0, 3, 0, 7, 0, 0, 0, 0, 1, 0, 0}) expected.push_back(static_cast<std::uint8_t>(byte));
  expected.resize(kConfigBytes + 2 * kRecordBytes);
  EXPECT_EQ(encode(*scenario), expected);
}

TEST(Mutation, StaysNormalAndDependsOnTheSeedAlone) {
  Scenario scenario;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    Scenario again = scenario;
    mutate(scenario, seed);
    mutate(again, seed);
    ASSERT_EQ(scenario, again);
    Scenario normal = scenario;
    normalise(normal);
    ASSERT_EQ(normal, scenario);
    if (scenario.entries.size() > 20) scenario = Scenario();
  }
}

TEST(Mutation, ReachesEveryObjectNameActionAndMode) {
  std::uint32_t objects = 0, names = 0, actions = 0, modes = 0;
  Scenario scenario;
  for (std::uint32_t seed = 0; seed < 20000; ++seed) {
    mutate(scenario, seed);
    for (const Entry& entry : scenario.entries) objects |= 1u << static_cast<unsigned>(entry.object);
    for (const Entry& entry : scenario.entries) names |= 1u << static_cast<unsigned>(entry.name.kind);
    for (const Event& event : scenario.events) actions |= 1u << static_cast<unsigned>(event.action);
    modes |= 1u << static_cast<unsigned>(scenario.mode);
    if (scenario.entries.size() > 20) scenario = Scenario();
  }
  EXPECT_EQ(objects, (1u << kObjects) - 1);
  EXPECT_EQ(names, (1u << kNameKinds) - 1);
  EXPECT_EQ(actions, (1u << kActions) - 1);
  EXPECT_EQ(modes, (1u << kModes) - 1);
}

TEST(CrossOver, MixesBothParentsIntoANormalScenario) {
  Scenario left = *parse(kEveryKindOfLine);
  Scenario right;
  for (std::uint32_t seed = 0; seed < 40; ++seed) mutate(right, seed);
  bool mixed = false;
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    Scenario child = cross_over(left, right, seed);
    Scenario normal = child;
    normalise(normal);
    ASSERT_EQ(normal, child);
    mixed |= child.entries != left.entries && child.entries != right.entries;
  }
  EXPECT_TRUE(mixed);
}

/// The smallest scenario that any chain of candidates leads to while `fails` holds.
template <class Fails>
Scenario shrink(Scenario scenario, Fails fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Scenario& candidate : shrink_candidates(scenario)) {
      if (!fails(candidate)) continue;
      scenario = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return scenario;
}

TEST(Shrinking, FindsTheOneEntryAndEventThatMatter) {
  Scenario smallest = shrink(*parse(kEveryKindOfLine), [](const Scenario& scenario) {
    bool socket = std::ranges::any_of(scenario.entries, [](const Entry& e) { return e.object == Object::socket; });
    bool killed = std::ranges::any_of(scenario.events, [](const Event& e) { return e.action == Action::kill_new; });
    return socket && killed;
  });
  EXPECT_EQ(print(smallest), "vcpr scenario 1\nmode transfer\nsave long 1 b id 0 socket\nat 1 call 0 kill-new\n");
}

TEST(Shrinking, KeepsReferencesOnTheirEntries) {
  Scenario scenario = *parse(
      "vcpr scenario 1\nsave \"ram0\" id 0 socket\nsave \"ram1\" id 0 socket\nsave \"ram2\" id 0 eventfd counter 0\n"
      "at 1 call 0 signal entry 2\n");
  Scenario smallest = shrink(scenario, [](const Scenario& s) {
    return std::ranges::any_of(s.events, [&](const Event& event) {
      return event.action == Action::signal && s.entries[event.operand].object == Object::eventfd;
    });
  });
  EXPECT_EQ(print(smallest),
            "vcpr scenario 1\nmode transfer\nsave \"ram2\" id 0 eventfd counter 0\nat 1 call 0 signal entry 0\n");
}

TEST(Shrinking, DescendsAlways) {
  Scenario scenario = *parse(kEveryKindOfLine);
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    mutate(scenario, seed);
    if (scenario.entries.size() > 20) scenario.entries.resize(5);
    normalise(scenario);
    for (const Scenario& candidate : shrink_candidates(scenario)) {
      ASSERT_LT(weight(candidate), weight(scenario));
      ASSERT_EQ(decode(encode(candidate)), candidate);
    }
  }
}

}  // namespace
}  // namespace vcpr::scenario
