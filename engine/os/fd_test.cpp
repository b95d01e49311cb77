// A descriptor is closed by exactly one owner, once. The trace of a real process tells.
#include "engine/os/fd.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/os/tracing_kernel.hpp"

namespace vcpr::os {
namespace {

class FdTest : public testing::Test {
 protected:
  Fd open_eventfd() { return Fd(*kernel_, *kernel_->eventfd(0, abi::efd_cloexec)); }
  bool is_open(int number) { return linux_->fcntl(number, abi::f_getfd, 0).has_value(); }
  /// The closes so far.
  std::vector<std::string> closes() const {
    std::vector<std::string> found;
    for (const std::string& line : trace_) {
      if (line.starts_with("close(")) found.push_back(line);
    }
    return found;
  }
  static std::string closed(int number) { return "close(" + std::to_string(number) + ") = 0"; }

  std::vector<std::string> trace_;
  std::unique_ptr<Kernel> linux_ = linux_kernel();
  std::unique_ptr<Kernel> kernel_ =
      tracing_kernel(*linux_, [this](std::string_view line) { trace_.emplace_back(line); });
};

TEST_F(FdTest, ClosesOnceAtTheEndOfItsScope) {
  int number = -1;
  {
    Fd fd = open_eventfd();
    number = fd.number();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
  EXPECT_EQ(closes(), std::vector{closed(number)});
}

TEST_F(FdTest, AnEmptyOneClosesNothing) {
  {
    Fd fd;
    EXPECT_FALSE(fd);
    EXPECT_EQ(fd.number(), -1);
    fd.reset();
  }
  EXPECT_TRUE(trace_.empty());
}

TEST_F(FdTest, MovingHandsOverTheClose) {
  int number = -1;
  {
    Fd first = open_eventfd();
    number = first.number();
    Fd second = std::move(first);
    EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): that it is empty is the promise
    EXPECT_EQ(second.number(), number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_EQ(closes(), std::vector{closed(number)});
}

TEST_F(FdTest, AssigningClosesWhatWasHeld) {
  Fd first = open_eventfd();
  Fd second = open_eventfd();
  int old_number = first.number();
  int new_number = second.number();
  first = std::move(second);
  EXPECT_EQ(closes(), std::vector{closed(old_number)});
  EXPECT_EQ(first.number(), new_number);
  EXPECT_TRUE(is_open(new_number));
}

TEST_F(FdTest, AssigningToItselfKeepsTheDescriptor) {
  Fd fd = open_eventfd();
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd.is_open());
  EXPECT_TRUE(is_open(fd.number()));
  EXPECT_TRUE(closes().empty());
}

TEST_F(FdTest, ReleaseGivesTheDescriptorAway) {
  int number = -1;
  {
    Fd fd = open_eventfd();
    number = fd.release();
    EXPECT_FALSE(fd);
  }
  EXPECT_TRUE(closes().empty());
  EXPECT_TRUE(is_open(number));
  EXPECT_TRUE(linux_->close(number));
}

TEST_F(FdTest, ResetClosesNowAndNotAgain) {
  Fd fd = open_eventfd();
  int number = fd.number();
  fd.reset();
  EXPECT_FALSE(is_open(number));
  fd.reset();
  EXPECT_EQ(closes(), std::vector{closed(number)});
}

}  // namespace
}  // namespace vcpr::os
