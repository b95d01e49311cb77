// Proves that the simulated machine and the Linux that runs this test answer every case alike, as the contract says.
#include <csignal>
#include <gtest/gtest.h>

#include "properties/conformance/case.hpp"
#include "properties/conformance/linux_world.hpp"

namespace vcpr::conformance {
namespace {

void expect_clean(const Case& each, World& world) {
  if (!world.has(each.needs)) GTEST_SKIP() << "this kernel lacks " << name(each.needs);
  const Report report = run_case(each, world);
  for (const std::string& failure : report.failures())
    ADD_FAILURE() << each.id << " (" << each.what << "): " << failure;
}

/// Devices belong to root, on the kernel that ci/real-kernel boots.
bool runs_as_root(Feature feature) {
  return feature == Feature::vfio_devices || feature == Feature::iommufd || feature == Feature::kvm;
}

class Conformance : public testing::TestWithParam<const Case*> {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_P(Conformance, Simulated) {
  expect_clean(*GetParam(), *simulated_world(runs_as_root(GetParam()->needs)));
}
TEST_P(Conformance, Linux) {
  expect_clean(*GetParam(), *linux_world(VCPR_EXEC_IMAGE));
}

INSTANTIATE_TEST_SUITE_P(Case, Conformance, testing::ValuesIn(all_cases()),
                         [](const auto& each) { return std::string(each.param->id); });

}  // namespace
}  // namespace vcpr::conformance
