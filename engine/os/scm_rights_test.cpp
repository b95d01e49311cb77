// The control buffer is laid out as the system's own macros do, and a header that lies is not followed.
#include "engine/os/scm_rights.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/socket.h>
#include <vector>

namespace vcpr::os {
namespace {

std::vector<std::int32_t> descriptors_in(std::span<const std::byte> control) {
  std::vector<std::int32_t> found;
  for_each_scm_rights(control, [&](std::int32_t fd) { found.push_back(fd); });
  return found;
}

std::vector<std::byte> message(std::span<const std::int32_t> fds) {
  std::vector<std::byte> buffer(scm_rights_space(fds.size()));
  write_scm_rights(buffer, fds);
  return buffer;
}

std::vector<std::byte> message(std::initializer_list<std::int32_t> fds) {
  return message(std::span(fds));
}

void set_length(std::vector<std::byte>& control, std::uint64_t length) {
  std::memcpy(control.data(), &length, sizeof length);
}

TEST(ScmRights, SpaceIsThatOfTheSystem) {
  for (std::size_t count = 0; count <= kScmMaxFd; ++count) {
    EXPECT_EQ(scm_rights_space(count), CMSG_SPACE(count * sizeof(int))) << count;
  }
}

TEST(ScmRights, TheSystemReadsWhatWeWrite) {
  auto control = message({7, 8, 9});
  msghdr header{};
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* first = CMSG_FIRSTHDR(&header);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->cmsg_level, SOL_SOCKET);
  EXPECT_EQ(first->cmsg_type, SCM_RIGHTS);
  EXPECT_EQ(first->cmsg_len, CMSG_LEN(3 * sizeof(int)));
  std::vector<std::int32_t> fds(3);
  std::memcpy(fds.data(), CMSG_DATA(first), 3 * sizeof(int));
  EXPECT_EQ(fds, (std::vector{7, 8, 9}));
}

TEST(ScmRights, EveryCountComesBackInOrder) {
  for (std::size_t count = 0; count <= kScmMaxFd; ++count) {
    std::vector<std::int32_t> fds(count);
    std::iota(fds.begin(), fds.end(), 3);
    EXPECT_EQ(descriptors_in(message(fds)), fds);
  }
}

TEST(ScmRights, WritesOnlyWhatItReturnsAndNoOldBytes) {
  std::vector<std::byte> buffer(64, std::byte{0xff});
  auto used = write_scm_rights(buffer, std::vector<std::int32_t>{5});
  EXPECT_EQ(used.size(), 24u);
  EXPECT_TRUE(std::ranges::all_of(used.subspan(20), [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_TRUE(std::ranges::all_of(std::span(buffer).subspan(24), [](std::byte b) { return b == std::byte{0xff}; }));
}

TEST(ScmRights, SeveralHeadersAreWalkedAndOtherKindsSkipped) {
  auto control = message({4});
  auto credentials = message({1, 2, 3});
  std::int32_t kind = SCM_CREDENTIALS;
  std::memcpy(credentials.data() + 12, &kind, sizeof kind);
  auto second = message({5, 6});
  control.insert(control.end(), credentials.begin(), credentials.end());
  control.insert(control.end(), second.begin(), second.end());
  EXPECT_EQ(descriptors_in(control), (std::vector{4, 5, 6}));
}

TEST(ScmRights, TheLastHeaderNeedsNoPadding) {
  auto control = message({4});
  control.resize(20);
  EXPECT_EQ(descriptors_in(control), std::vector{4});
}

TEST(ScmRights, AHeaderThatLiesEndsTheWalk) {
  auto good = message({4});
  for (std::uint64_t length : {std::uint64_t{0}, std::uint64_t{15}, std::uint64_t{25}, UINT64_MAX - 6, UINT64_MAX}) {
    auto control = good;
    auto liar = message({5});
    set_length(liar, length);
    control.insert(control.end(), liar.begin(), liar.end());
    EXPECT_EQ(descriptors_in(control), std::vector{4}) << length;
  }
}

TEST(ScmRights, EveryTruncationIsWalkedWithinItsBytes) {
  auto whole = message({4, 5, 6});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::byte> control(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    auto expected = size < 28 ? std::vector<std::int32_t>{} : std::vector{4, 5, 6};
    EXPECT_EQ(descriptors_in(control), expected) << size;
  }
}

TEST(ScmRights, APartOfADescriptorIsNone) {
  auto control = message({4, 5});
  set_length(control, 16 + 7);
  EXPECT_EQ(descriptors_in(control), std::vector{4});
}

}  // namespace
}  // namespace vcpr::os
