// The CPR state as a specification: its bytes, and everything a load refuses.
#include "engine/handover/cpr_state.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <initializer_list>
#include <iterator>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/store/null_kernel.hpp"
#include "source_dir.hpp"

namespace vcpr::handover {
namespace {

using Bytes = std::vector<std::byte>;

/// "51 43" and 'text' alike; spaces are nothing.
Bytes bytes_of(std::string_view pieces) {
  Bytes bytes;
  for (std::size_t i = 0; i < pieces.size();) {
    if (pieces[i] == '\'') {
      for (++i; pieces[i] != '\''; ++i) bytes.push_back(static_cast<std::byte>(pieces[i]));
      ++i;
    } else if (pieces[i] == ' ') {
      ++i;
    } else {
      bytes.push_back(static_cast<std::byte>(std::stoi(std::string(pieces.substr(i, 2)), nullptr, 16)));
      i += 2;
    }
  }
  return bytes;
}

constexpr std::string_view kHeader = "51 43 50 52 00 00 00 01 ";
constexpr std::string_view kNoDevices = "05 15 'CprState/vfio devices' 00 00 00 01 00 ";

/// One group and one eventfd, riding on the bytes 28 and 61.
const Bytes kTransferExample = bytes_of(std::string(kHeader) +
                                        "01 00 00 00 0b 'vfio_group' 00 00 00 00 0c 20 "
                                        "01 00 00 00 17 '0000:3a:00.1_interrupt' 00 00 00 00 00 20 00 " +
                                        std::string(kNoDevices));

/// An iommufd as descriptor 10, a device as 13, and the device's record.
const Bytes kExecExample = bytes_of(std::string(kHeader) +
                                    "01 00 00 00 09 'iommufd0' 00 00 00 00 00 00 00 00 0a "
                                    "01 00 00 00 0d '0000:3a:00.1' 00 00 00 00 00 00 00 00 0d 00 "
                                    "05 15 'CprState/vfio devices' 00 00 00 01 "
                                    "01 00 00 00 0d '0000:3a:00.1' 00 00 00 00 01 00 00 00 02 00 00 00 04 00");

/// Inherited numbers, of which only some are open.
struct InheritedKernel : store::NullKernel {
  std::set<int> open = {10, 13};
  os::Result<int> fcntl(int fd, int, std::int64_t) override {
    if (!open.contains(fd)) return std::unexpected(os::Errno::ebadf);
    return 0;
  }
};

struct CprStateTest : testing::Test {
  InheritedKernel kernel;

  /// A stream whose descriptors 100, 101, ... each came with their byte.
  wire::Inbox inbox(Bytes bytes, std::initializer_list<std::uint64_t> riding) {
    wire::Inbox in{std::move(bytes), {}};
    int number = 100;
    for (std::uint64_t byte : riding) in.descriptors.push_back({byte, os::Fd(kernel, number++)});
    return in;
  }
  Expected<CprState> load_transfer(Bytes bytes, std::initializer_list<std::uint64_t> riding = {28, 61},
                                   Peer peer = Peer::current) {
    return load_cpr_state(kernel, inbox(std::move(bytes), riding), Encoding::transfer, peer);
  }
  Expected<CprState> load_exec(Bytes bytes, Peer peer = Peer::current) {
    return load_cpr_state(kernel, {std::move(bytes), {}}, Encoding::exec, peer);
  }
};

/// Refused with this code at this byte.
testing::AssertionResult refused(const Expected<CprState>& loaded, ErrorCode code, std::uint64_t offset) {
  if (loaded) return testing::AssertionFailure() << "was accepted";
  const Error& error = loaded.error();
  if (error.code == code && error.offset == offset) return testing::AssertionSuccess();
  return testing::AssertionFailure() << error.message();
}

Bytes saved(const CprState& state, Encoding encoding) {
  wire::Outbox out;
  auto result = save_cpr_state(state, encoding, out);
  EXPECT_TRUE(result) << result.error().message();
  return out.bytes;
}

Bytes with(Bytes bytes, std::size_t offset, unsigned value) {
  bytes.at(offset) = static_cast<std::byte>(value);
  return bytes;
}

// What is written

TEST_F(CprStateTest, TransferHasTheBytesOfTheFormatPage) {
  CprState state;
  ASSERT_TRUE(state.descriptors.save({"vfio_group", 12}, os::Fd(kernel, 7)));
  ASSERT_TRUE(state.descriptors.save({"0000:3a:00.1_interrupt", 0}, os::Fd(kernel, 9)));
  wire::Outbox out;
  ASSERT_TRUE(save_cpr_state(state, Encoding::transfer, out));
  EXPECT_EQ(out.bytes, kTransferExample);
  EXPECT_EQ(out.bytes.size(), 91u);
  ASSERT_EQ(out.descriptors.size(), 2u);
  EXPECT_EQ(out.descriptors[0].offset, 0x1cu);
  EXPECT_EQ(out.descriptors[0].number, 7);
  EXPECT_EQ(out.descriptors[1].offset, 0x3du);
  EXPECT_EQ(out.descriptors[1].number, 9);
}

TEST_F(CprStateTest, ExecHasTheBytesOfTheFormatPage) {
  CprState state;
  ASSERT_TRUE(state.descriptors.save({"iommufd0", 0}, os::Fd(kernel, 10)));
  ASSERT_TRUE(state.descriptors.save({"0000:3a:00.1", 0}, os::Fd(kernel, 13)));
  ASSERT_TRUE(state.devices.add("0000:3a:00.1", {1, 2, 4}));
  EXPECT_EQ(saved(state, Encoding::exec), kExecExample);
  EXPECT_EQ(kExecExample.size(), 115u);
}

TEST_F(CprStateTest, AnEmptyStateHasThirtySevenBytes) {
  EXPECT_EQ(saved({}, Encoding::transfer), bytes_of(std::string(kHeader) + "00 " + std::string(kNoDevices)));
}

// What is read

TEST_F(CprStateTest, TransferExampleLoads) {
  auto state = load_transfer(kTransferExample);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->descriptors.find({"vfio_group", 12}), 100);
  EXPECT_EQ(state->descriptors.find({"0000:3a:00.1_interrupt", 0}), 101);
  EXPECT_EQ(state->devices.size(), 0u);
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(CprStateTest, ExecExampleLoads) {
  auto state = load_exec(kExecExample);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->descriptors.find({"iommufd0", 0}), 10);
  EXPECT_EQ(state->devices.find("0000:3a:00.1"), (store::DeviceIds{1, 2, 4}));
}

TEST_F(CprStateTest, LoadsWhatItSavesInTheSameOrder) {
  auto state = load_exec(kExecExample);
  ASSERT_TRUE(state);
  EXPECT_EQ(saved(*state, Encoding::exec), kExecExample);
}

TEST_F(CprStateTest, DescriptorsMayArriveEarly) {
  EXPECT_TRUE(load_transfer(kTransferExample, {0, 0}));
  EXPECT_TRUE(load_transfer(kTransferExample, {28, 28}));
}

TEST_F(CprStateTest, AContainerOfManyGroupsIsOneNumberAfterExecAndSeveralAfterTransfer) {
  std::string group = "01 00 00 00 19 'vfio_container_for_group' 00 00 00 00 0";
  Bytes exec =
      bytes_of(std::string(kHeader) + group + "1 00 00 00 0a " + group + "2 00 00 00 0a 00 " + std::string(kNoDevices));
  auto state = load_exec(exec);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->descriptors.find({"vfio_container_for_group", 2}), 10);
  EXPECT_EQ(saved(*state, Encoding::exec), exec);

  auto transferred = load_transfer(
      bytes_of(std::string(kHeader) + group + "1 20 " + group + "2 20 00 " + std::string(kNoDevices)), {0, 0});
  ASSERT_TRUE(transferred) << transferred.error().message();
  EXPECT_EQ(transferred->descriptors.find({"vfio_container_for_group", 1}), 100);
  EXPECT_EQ(transferred->descriptors.find({"vfio_container_for_group", 2}), 101);
}

struct ServiceBytes : vmstate::Observer {
  int count = 0;
  void field(const vmstate::FieldSeen& field) override { count += field.role == vmstate::Role::service_byte; }
};

TEST_F(CprStateTest, EveryCaptureOfARealQemuLoadsAndIsWrittenBackByteForByte) {
  std::size_t captures = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(VCPR_SOURCE_DIR "/corpus/captures")) {
    std::string path = file.path().string();
    bool exec = path.ends_with(".cprexec.bin");
    if (!exec && !path.ends_with(".cpr.bin")) continue;
    ++captures;
    std::ifstream stream(path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(stream), {});
    auto raw = std::as_bytes(std::span(text));
    Bytes bytes(raw.begin(), raw.end());
    store::NullKernel any;
    wire::Inbox in{bytes, {}};
    auto encoding = exec ? Encoding::exec : Encoding::transfer;
    ServiceBytes service;
    EXPECT_FALSE(observe_cpr_state(bytes, encoding, service)) << path;
    for (int number = 0; number < service.count; ++number) in.descriptors.push_back({0, os::Fd(any, number)});
    auto state = load_cpr_state(any, std::move(in), encoding);
    ASSERT_TRUE(state) << path << ": " << state.error().message();
    EXPECT_EQ(saved(*state, encoding), bytes) << path;
  }
  EXPECT_GE(captures, 14u);
}

// What is refused: the header

TEST_F(CprStateTest, AnotherProtocolIsRefusedByItsFirstWords) {
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 3, 0x51)), ErrorCode::bad_magic, 0));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 7, 2)), ErrorCode::bad_version, 4));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 4, 1)), ErrorCode::bad_version, 4));
  EXPECT_TRUE(check_cpr_header(std::span(kTransferExample).first(8)));
  auto early = check_cpr_header(std::span(kTransferExample).first(7));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::truncated);
}

// What is refused: entries

TEST_F(CprStateTest, EveryTruncationIsRefusedWithAnOffsetAndClosesWhatCame) {
  for (std::size_t size = 0; size < kTransferExample.size(); ++size) {
    kernel.closed.clear();
    auto state = load_transfer(Bytes(kTransferExample.begin(), kTransferExample.begin() + static_cast<long>(size)));
    ASSERT_FALSE(state) << size;
    ASSERT_TRUE(state.error().offset) << size << ": " << state.error().message();
    EXPECT_LE(*state.error().offset, size);
    std::ranges::sort(kernel.closed);
    EXPECT_EQ(kernel.closed, (std::vector{100, 101})) << size;
  }
}

TEST_F(CprStateTest, EveryTruncationInExecLeavesWhatIsInheritedAlone) {
  for (std::size_t size = 0; size < kExecExample.size(); ++size) {
    auto state = load_exec(Bytes(kExecExample.begin(), kExecExample.begin() + static_cast<long>(size)));
    ASSERT_FALSE(state) << size;
    ASSERT_TRUE(state.error().offset) << size << ": " << state.error().message();
    EXPECT_LE(*state.error().offset, size);
  }
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(CprStateTest, EveryByteChangedIsRefusedOrChangesOneValue) {
  for (std::size_t at = 0; at < kExecExample.size(); ++at) {
    for (unsigned flip : {0x01u, 0x05u, 0x20u, 0x80u, 0xffu}) {
      Bytes damaged = with(kExecExample, at, std::to_integer<unsigned>(kExecExample[at]) ^ flip);
      auto state = load_exec(damaged);
      if (!state) {
        EXPECT_TRUE(state.error().offset) << at;
      } else {
        EXPECT_EQ(saved(*state, Encoding::exec), damaged) << "byte " << at << " was read as something else";
        state->descriptors.disown();
      }
    }
  }
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(CprStateTest, AMarkerOtherThanZeroAndOneIsRefused) {
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 8, 2)), ErrorCode::bad_marker, 8));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x1d, 5)), ErrorCode::bad_marker, 0x1d));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x5a, 0xff)), ErrorCode::bad_marker, 0x5a));
}

TEST_F(CprStateTest, ANameMustBeANonEmptyTextThatEndsWithNul) {
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x0c, 0)), ErrorCode::bad_length, 0x09));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x0c, 1)), ErrorCode::bad_text, 0x0d));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x17, 'x')), ErrorCode::bad_text, 0x0d));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x10, 0)), ErrorCode::bad_text, 0x0d));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x09, 0xff)), ErrorCode::bad_length, 0x09));
  Bytes one_nul = bytes_of(std::string(kHeader) + "01 00 00 00 01 00 00 00 00 00 20 00 " + std::string(kNoDevices));
  EXPECT_TRUE(refused(load_transfer(one_nul, {0}), ErrorCode::bad_text, 0x0d));
}

TEST_F(CprStateTest, AServiceByteIsASpace) {
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x1c, 0x21)), ErrorCode::bad_service_byte, 0x1c));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x3d, 0x00)), ErrorCode::bad_service_byte, 0x3d));
}

TEST_F(CprStateTest, AMissingOrLateDescriptorIsRefusedAtItsByte) {
  EXPECT_TRUE(refused(load_transfer(kTransferExample, {28}), ErrorCode::missing_descriptor, 61));
  EXPECT_TRUE(refused(load_transfer(kTransferExample, {}), ErrorCode::missing_descriptor, 28));
  EXPECT_TRUE(refused(load_transfer(kTransferExample, {28, 62}), ErrorCode::missing_descriptor, 61));
  EXPECT_TRUE(refused(load_transfer(kTransferExample, {29, 61}), ErrorCode::missing_descriptor, 28));
}

TEST_F(CprStateTest, AnExtraDescriptorIsRefusedWhereItCame) {
  EXPECT_TRUE(refused(load_transfer(kTransferExample, {28, 61, 62}), ErrorCode::extra_descriptor, 62));
  EXPECT_EQ(kernel.closed.size(), 3u);
}

TEST_F(CprStateTest, BytesAfterTheEndAreRefused) {
  Bytes longer = kTransferExample;
  longer.push_back(std::byte{0});
  EXPECT_TRUE(refused(load_transfer(longer), ErrorCode::trailing_bytes, 91));
  longer.back() = std::byte{5};
  EXPECT_TRUE(refused(load_transfer(longer), ErrorCode::trailing_bytes, 91));
}

TEST_F(CprStateTest, ADuplicateKeyNamesBothBytes) {
  std::string ram = "01 00 00 00 05 'ram0' 00 00 00 00 00 20 ";
  std::string other = "01 00 00 00 05 'ram1' 00 00 00 00 00 20 ";
  auto state =
      load_transfer(bytes_of(std::string(kHeader) + other + ram + other + "00 " + std::string(kNoDevices)), {0, 0, 0});
  EXPECT_TRUE(refused(state, ErrorCode::duplicate_key, 8 + 15 + 15 + 1));
  EXPECT_NE(state.error().text.find("first at byte 9"), std::string::npos) << state.error().text;
  EXPECT_EQ(kernel.closed.size(), 3u);

  auto third =
      load_transfer(bytes_of(std::string(kHeader) + other + ram + ram + "00 " + std::string(kNoDevices)), {0, 0, 0});
  EXPECT_NE(third.error().text.find("first at byte 24"), std::string::npos) << third.error().text;
}

TEST_F(CprStateTest, OneNumberUnderTwoNamesIsRefusedAndNamesBothBytes) {
  auto state = load_exec(with(kExecExample, 0x37, 10));
  EXPECT_TRUE(refused(state, ErrorCode::same_descriptor, 0x1f));
  EXPECT_NE(state.error().text.find("first at byte 9"), std::string::npos) << state.error().text;
  EXPECT_TRUE(kernel.closed.empty());
}

TEST_F(CprStateTest, ANegativeOrClosedNumberIsRefused) {
  EXPECT_TRUE(refused(load_exec(with(kExecExample, 0x1a, 0xff)), ErrorCode::bad_descriptor, 0x1a));
  kernel.open.erase(13);
  EXPECT_TRUE(refused(load_exec(kExecExample), ErrorCode::bad_descriptor, 0x1f));
  EXPECT_TRUE(kernel.closed.empty());
}

// What is refused: device records

TEST_F(CprStateTest, ADuplicateDeviceNamesBothBytes) {
  std::string record = "01 00 00 00 02 'd' 00 00 00 00 01 00 00 00 02 00 00 00 03 ";
  std::string other = "01 00 00 00 02 'e' 00 00 00 00 01 00 00 00 02 00 00 00 03 ";
  auto state = load_exec(bytes_of(std::string(kHeader) + "00 05 15 'CprState/vfio devices' 00 00 00 01 " + other +
                                  record + record + "00"));
  EXPECT_TRUE(refused(state, ErrorCode::duplicate_key, 36 + 19 + 19 + 1));
  EXPECT_NE(state.error().text.find("first at byte 56"), std::string::npos) << state.error().text;
}

TEST_F(CprStateTest, IdsNoKernelGivesAreRefused) {
  EXPECT_TRUE(refused(load_exec(with(kExecExample, 0x69, 0)), ErrorCode::bad_value, 0x55));  // devid 0
  EXPECT_TRUE(refused(load_exec(with(kExecExample, 0x66, 0x80)), ErrorCode::bad_value, 0x55));
  EXPECT_TRUE(refused(load_exec(with(kExecExample, 0x6d, 0)), ErrorCode::bad_value, 0x55));  // IOAS 0
  auto emulated = load_exec(with(kExecExample, 0x71, 0));                                    // no page table
  EXPECT_TRUE(emulated) << emulated.error().message();
}

// Peers

TEST_F(CprStateTest, AStreamWithoutTheDeviceSubsectionIsAcceptedOnlyFromQemu100) {
  Bytes old(kTransferExample.begin(), kTransferExample.begin() + 0x3f);
  EXPECT_TRUE(refused(load_transfer(old), ErrorCode::missing_subsection, 0x3f));
  EXPECT_TRUE(refused(load_transfer(old, {28, 61}, Peer::stub), ErrorCode::missing_subsection, 0x3f));
  EXPECT_TRUE(load_transfer(old, {28, 61}, Peer::qemu_10_0));
  EXPECT_TRUE(load_transfer(kTransferExample, {28, 61}, Peer::qemu_10_0)) << "a current one is accepted all the same";
}

TEST_F(CprStateTest, AnEmptyDeviceSubsectionIsAcceptedOnlyFromAStub) {
  Bytes stub(kTransferExample.begin(), kTransferExample.end() - 1);
  EXPECT_TRUE(refused(load_transfer(stub), ErrorCode::truncated, 0x5a));
  EXPECT_TRUE(refused(load_transfer(stub, {28, 61}, Peer::qemu_10_0), ErrorCode::truncated, 0x5a));
  EXPECT_TRUE(load_transfer(stub, {28, 61}, Peer::stub));
  EXPECT_TRUE(load_transfer(kTransferExample, {28, 61}, Peer::stub));
}

TEST_F(CprStateTest, AnUnknownOrRepeatedSubsectionIsRefused) {
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x55, 'z')), ErrorCode::unknown_subsection, 0x3f));
  Bytes twice = kTransferExample;
  twice.insert(twice.end(), kTransferExample.begin() + 0x3f, kTransferExample.end());
  EXPECT_TRUE(refused(load_transfer(twice), ErrorCode::duplicate_subsection, 91));
  EXPECT_TRUE(refused(load_transfer(with(kTransferExample, 0x59, 2)), ErrorCode::bad_version, 0x5a));
}

// Observation

struct Paths : vmstate::Observer {
  std::vector<std::string> seen;
  std::uint64_t next = 0;
  bool gap = false;
  void field(const vmstate::FieldSeen& field) override {
    seen.emplace_back(field.path);
    gap = gap || field.offset != next;
    next = field.offset + field.size;
  }
};

TEST_F(CprStateTest, ObservationNamesEveryByteOnce) {
  for (auto [bytes, encoding] : {std::pair{&kTransferExample, Encoding::transfer}, {&kExecExample, Encoding::exec}}) {
    Paths paths;
    auto stopped = observe_cpr_state(*bytes, encoding, paths);
    EXPECT_FALSE(stopped) << stopped->message();
    EXPECT_FALSE(paths.gap);
    EXPECT_EQ(paths.next, bytes->size());
    EXPECT_EQ(paths.seen.front(), "magic");
  }
}

TEST_F(CprStateTest, ObservationGoesAsFarAsTheStreamIsValid) {
  Paths paths;
  auto stopped = observe_cpr_state(with(kTransferExample, 0x1d, 7), Encoding::transfer, paths);
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->code, ErrorCode::bad_marker);
  EXPECT_EQ(stopped->offset, 0x1du);
  EXPECT_EQ(paths.next, 0x1eu);
}

}  // namespace
}  // namespace vcpr::handover
