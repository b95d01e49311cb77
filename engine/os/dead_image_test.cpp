// A dead image has no descriptors to close and makes no calls: its owners and its trace fall silent.
#include <gtest/gtest.h>
#include <string>

#include "engine/os/fd.hpp"
#include "engine/os/tracing_kernel.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::os {
namespace {

TEST(DeadImage, ItsDescriptorsAreNotClosedAgain) {
  machine::Machine world;
  machine::Process& process = world.spawn();
  std::uint64_t calls = 0;
  {
    Fd fd(process.kernel(), *process.kernel().eventfd(0, 0));
    process.kill();
    calls = world.calls();
  }
  EXPECT_EQ(world.calls(), calls);
  EXPECT_EQ(machine::Truth(world).bad_closes(), 0u);
}

TEST(DeadImage, TheCallThatItDiedAtIsTheLastLineOfItsTrace) {
  machine::Machine world;
  machine::Process& process = world.spawn();
  std::string lines;
  auto kernel = tracing_kernel(process.kernel(), [&](std::string_view line) { lines.append(line).append("\n"); });
  EXPECT_EQ(kernel->eventfd(0, 0), 0);
  process.kill();
  EXPECT_EQ(kernel->eventfd(0, 0).error(), Errno::gone);
  EXPECT_EQ(kernel->close(0).error(), Errno::gone);
  EXPECT_EQ(kernel->getenv("HOME"), std::nullopt);
  EXPECT_EQ(lines, "eventfd(0, 0) = 0\neventfd(0, 0) = -1 GONE\n");
}

}  // namespace
}  // namespace vcpr::os
