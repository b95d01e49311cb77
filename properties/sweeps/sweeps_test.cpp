// What sweeps are made of, and a bounded one: every event at every call boundary of a few canonical handovers.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "properties/forms/candidates.hpp"
#include "properties/sweeps/disturbance.hpp"
#include "properties/sweeps/sweep.hpp"

namespace vcpr::sweeps {
namespace {

using vm_scenario::Action;
using vm_scenario::Ending;
using vm_scenario::Outcome;
using vm_scenario::Scenario;
using vm_scenario::Step;

Canonical find(std::string_view name) {
  for (Canonical& each : canonical()) {
    if (each.name == name) return std::move(each);
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

std::vector<Disturbance> all_events(const Canonical& canonical) {
  const Outcome outcome = vm_scenario::run(canonical.scenario);
  return outcome.calls.empty() ? std::vector<Disturbance>() : disturbances(canonical, outcome.calls.front());
}

TEST(Canonical, HaveNamesOfTheirOwnAndAreNormal) {
  std::set<std::string> names;
  for (const Canonical& each : canonical()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    Scenario normal = each.scenario;
    vm_scenario::normalise(normal);
    EXPECT_EQ(normal, each.scenario) << each.name;
    EXPECT_TRUE(vm_scenario::is_handover(each.scenario.steps.back().action)) << each.name;
  }
  for (std::string_view name :
       {"transfer.legacy.intx", "transfer.iommufd.msix.without-kvm", "exec.legacy.msi.shared-eventfds",
        "reboot.iommufd.msix", "transfer-plain.legacy.msix", "transfer-plain-stop-first.iommufd.intx", "exec.both"})
    EXPECT_TRUE(names.contains(std::string(name))) << name;
}

/// Whether a kernel that cannot is told before anything happens.
bool is_refused(const Canonical& canonical) {
  return std::ranges::any_of(std::to_array<std::string_view>({"without-update-vaddr", "without-unmap-all",
                                                              "without-change-process", "without-map-file"}),
                             [&](std::string_view host) { return canonical.name.ends_with(host); });
}

TEST(Canonical, UndisturbedEachIsHandedOverOrRefusedByItsHost) {
  for (const Canonical& each : canonical()) {
    const Outcome outcome = vm_scenario::run(each.scenario);
    EXPECT_FALSE(outcome.violation) << each.name << ": " << invariants::text(*outcome.violation);
    const Ending wanted = is_refused(each) ? Ending::kept : Ending::given;
    EXPECT_EQ(outcome.endings, std::vector(1, wanted)) << each.name;
    EXPECT_LE(outcome.calls.front().size(), vm_scenario::kMaxCall + std::size_t{1}) << each.name;
  }
}

/// What stands at a boundary, as text.
std::set<std::string> texts_at(const std::vector<Disturbance>& events, std::uint16_t call) {
  std::set<std::string> found;
  for (const Disturbance& each : events) {
    if (each.at.back().call != call) continue;
    std::string text;
    for (const Step& step : each.before) text += vm_scenario::text(step) + "; ";
    for (const Step& step : each.at) text += vm_scenario::text(step) + "; ";
    found.insert(text);
  }
  return found;
}

TEST(Disturbances, AreEveryLineFaultEndDmaAndStepOfTheGuestAtEachCall) {
  const Canonical one = find("transfer.legacy.intx");
  machine::FaultSet socket;
  for (const machine::FaultRule& rule : machine::fault_table())
    socket.set(static_cast<std::size_t>(rule.point), rule.call == machine::Call::socket);
  const std::array calls{machine::FaultSet(), socket};
  const std::set<std::string> quiet{
      "at 0 raise 0; ",
      "at 0 kill_old; ",
      "at 0 kill_new; ",
      "at 0 cancel_old; ",
      "at 0 cancel_new; ",
      "start_dma 0; at 0 complete_dma 0; ",
      "at 0 hold; at 0 raise 0; ",
      "hold; raise 0; at 0 release; ",
      "hold; raise 0; at 0 take; ",
      "hold; raise 0; take; at 0 end; ",
      "at 0 raise 0; at 0 mask 0; ",
      "mask 0; raise 0; at 0 unmask 0; ",
      "at 0 disable 0; ",
      "disable 0; at 0 enable 0; ",
  };
  const auto events = disturbances(one, calls);
  EXPECT_EQ(texts_at(events, 0), quiet);
  for (std::string_view fault : {"socket_emfile", "socket_enfile", "socket_enobufs"})
    EXPECT_TRUE(texts_at(events, 1).contains("at 1 fault " + std::string(fault) + "; ")) << fault;
  EXPECT_EQ(events.size(), 2 * quiet.size() + 3);
}

TEST(Disturbances, AreMadeSureByAnotherHandoverWhereTheyMayFailOne) {
  const Canonical one = find("reboot.iommufd.msix");
  const auto events = disturbances(one, std::array{machine::FaultSet()});
  const auto death =
      std::ranges::find_if(events, [](const Disturbance& each) { return each.at.back().action == Action::kill_new; });
  ASSERT_NE(death, events.end());
  EXPECT_EQ(vm_scenario::print(disturbed(one, std::span(&*death, 1))),
            "device igb iommufd msix 2\nsuspend\nreboot\n  at 0 kill_new\nsuspend\nreboot\n");
}

TEST(Pairs, AreNearEachOtherAndDependOnTheSeedAlone) {
  const Canonical one = find("exec.legacy.msix");
  const auto events = all_events(one);
  const auto drawn = pairs(one, events, 200, 7);
  EXPECT_EQ(drawn, pairs(one, events, 200, 7));
  EXPECT_NE(drawn, pairs(one, events, 200, 8));
  for (const Scenario& each : drawn) {
    const auto is_pinned = [](const Step& step) { return step.pinned; };
    const auto first = std::ranges::find_if(each.steps, is_pinned);
    ASSERT_NE(first, each.steps.end());
    std::uint16_t last = first->call;
    for (const Step& step : each.steps) last = step.pinned ? step.call : last;
    EXPECT_LE(last - first->call, kNear);
  }
}

TEST(Tallies, AreTheSumOfTheirLines) {
  Tally tally;
  const Canonical one = find("transfer.legacy.msi");
  for (const Disturbance& each : disturbances(one, std::array{machine::FaultSet()}))
    (void)try_out(disturbed(one, std::span(&each, 1)), tally);
  Tally read;
  std::istringstream lines(tally.text());
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(read.read(line)) << line;
  EXPECT_EQ(read.text(), tally.text());
  EXPECT_EQ(read.scenarios(), 14U);
  EXPECT_GT(read.handovers(), read.scenarios());
  EXPECT_FALSE(read.read("seen 1 2"));
  EXPECT_FALSE(read.read("seen 99 0 1 1 1"));
}

TEST(Shrinking, EndsWithWhatStillFails) {
  auto scenario = vm_scenario::parse("device igb legacy msix 3\nraise 2\ntransfer plain\n  at 9 kill_new\nexec\n");
  ASSERT_TRUE(scenario) << scenario.error();
  const auto has_death = [](const Scenario& each) {
    return std::ranges::any_of(each.steps, [](const Step& step) { return step.action == Action::kill_new; });
  };
  EXPECT_EQ(vm_scenario::print(forms::shrink(*scenario, 1000, has_death)),
            "device edu legacy intx\ntransfer\n  at 0 kill_new\n");
}

/// Breadth for every build: vcpr sweep has all handovers.
class BoundedSweep : public testing::TestWithParam<const char*> {};

TEST_P(BoundedSweep, HoldsEveryInvariant) {
  const Canonical one = find(GetParam());
  const std::vector<Disturbance> events = all_events(one);
  ASSERT_FALSE(events.empty());
  Tally tally;
  int failures = 0;
  for (std::size_t at = 0; at < events.size() && failures < 5; ++at) {
    const Scenario scenario = disturbed(one, std::span(&events[at], 1));
    const auto found = try_out(scenario, tally);
    if (!found) continue;
    ++failures;
    ADD_FAILURE() << invariants::text(found->violation) << ", at " << found->place << ":\n"
                  << vm_scenario::print(scenario);
  }
  RecordProperty("handovers", static_cast<int>(tally.handovers()));
}

std::string test_name(const testing::TestParamInfo<const char*>& name) {
  std::string text = name.param;
  std::erase_if(text, [](char c) { return c == '-' || c == '.'; });
  return text;
}
INSTANTIATE_TEST_SUITE_P(Canonical, BoundedSweep,
                         testing::Values("transfer.legacy.intx", "transfer.iommufd.msix.shared-eventfds",
                                         "transfer-plain.legacy.msix", "transfer-stop-first.iommufd.msi",
                                         "transfer-stop-first.legacy.intx.without-kvm", "exec.legacy.msix",
                                         "exec.iommufd.intx.without-kvm", "reboot.both"),
                         test_name);

}  // namespace
}  // namespace vcpr::sweeps
