// The exec hand-over as a specification: on the simulated machine, and once through a real execve.
#include "engine/handover/exec.hpp"

#include <array>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/wire/channel.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::handover {
namespace {

namespace abi = os::abi;
using machine::Machine;
using machine::Process;
using machine::Truth;
using os::Errno;

constexpr std::array<const char*, 1> kArguments = {"vmm"};

struct ExecTest : testing::Test {
  Machine machine;
  Truth truth{machine};
  Process& process = machine.spawn();
  os::Kernel& kernel = process.kernel();
  CprState state;

  void SetUp() override {
    for (int vector = 0; vector < 5; ++vector) {
      ASSERT_TRUE(state.descriptors.save({"d_interrupt", vector}, own(kernel.eventfd(1, abi::efd_cloexec))));
    }
    ASSERT_TRUE(state.devices.add("d", {1, 2, 3}));
  }
  os::Fd own(os::Result<int> number) { return {kernel, number.value_or(-1)}; }
  /// Number -> close-on-exec, of everything that is open.
  std::map<int, bool> flags() {
    std::map<int, bool> flags;
    for (const auto& open : truth.descriptors(process)) flags[open.number] = open.close_on_exec;
    return flags;
  }
  /// A memfd of the right name with these bytes, named in the environment.
  os::Fd plant(std::span<const std::byte> bytes) {
    os::Fd memfd = own(kernel.memfd_create(kExecStateName, 0));
    EXPECT_TRUE(wire::write_memfd(kernel, memfd.number(), bytes));
    EXPECT_TRUE(kernel.setenv(kExecStateName, std::to_string(memfd.number()).c_str()));
    return memfd;
  }
  wire::Outbox recorded() {
    wire::Outbox out;
    EXPECT_TRUE(save_cpr_state(state, Encoding::exec, out));
    return out;
  }
};

ErrorCode code_of(const Expected<CprState>& loaded) {
  return loaded ? ErrorCode{} : loaded.error().code;
}

// The old image

TEST_F(ExecTest, PersistNamesAMemfdThatStaysCloseOnExecUntilTheAttempt) {
  ExecSource source(kernel, state);
  ASSERT_TRUE(source.persist());
  ASSERT_TRUE(exec_state_present(kernel));
  int memfd = std::stoi(*kernel.getenv(kExecStateName));
  EXPECT_TRUE(flags().at(memfd));
  auto bytes = wire::read_memfd(kernel, memfd);
  EXPECT_EQ(*bytes, recorded().bytes);
}

TEST_F(ExecTest, PersistTwiceOrOverAnothersVariableIsRefused) {
  {
    ExecSource source(kernel, state);
    ASSERT_TRUE(source.persist());
    EXPECT_EQ(source.persist().error().code, ErrorCode::bad_state);
    ExecSource second(kernel, state);
    EXPECT_EQ(second.persist().error().code, ErrorCode::bad_environment);
  }
  EXPECT_FALSE(exec_state_present(kernel)) << "the first one's, and only the first removes it";
}

TEST_F(ExecTest, RollBackRemovesEverythingTwice) {
  auto before = flags();
  ExecSource source(kernel, state);
  source.roll_back();
  ASSERT_TRUE(source.persist());
  source.roll_back();
  source.roll_back();
  EXPECT_FALSE(exec_state_present(kernel));
  EXPECT_EQ(flags(), before);
  EXPECT_TRUE(source.persist()) << "a new attempt may follow";
}

TEST_F(ExecTest, AFailedExecveLeavesEveryFlagAsItWasAndTheStatePersisted) {
  ASSERT_TRUE(kernel.fcntl(*state.descriptors.find({"d_interrupt", 2}), abi::f_setfd, 0));
  ExecSource source(kernel, state);
  ASSERT_TRUE(source.persist());
  auto before = flags();
  Error error = source.exec("", kArguments);
  EXPECT_EQ(error.code, ErrorCode::os_error) << error.message();
  EXPECT_EQ(flags(), before);
  EXPECT_TRUE(exec_state_present(kernel));
}

TEST_F(ExecTest, ADescriptorThatIsGoneStopsTheAttemptHalfWayAndEveryFlagGoesBack) {
  ExecSource source(kernel, state);
  ASSERT_TRUE(source.persist());
  int gone = *state.descriptors.find({"d_interrupt", 3});
  ASSERT_TRUE(kernel.close(gone));
  auto before = flags();
  Error error = source.exec("/bin/vmm", kArguments);
  EXPECT_EQ(error.code, ErrorCode::bad_descriptor);
  EXPECT_NE(error.text.find("\"d_interrupt\" id 3"), std::string::npos) << error.text;
  EXPECT_EQ(flags(), before);
  EXPECT_EQ(process.image(), 0u);
  state.descriptors.disown();
}

TEST_F(ExecTest, ExecNeedsAPersistedStateOfTheTableAsItIs) {
  ExecSource source(kernel, state);
  EXPECT_EQ(source.exec("/bin/vmm", kArguments).code, ErrorCode::bad_state);
  ASSERT_TRUE(source.persist());
  ASSERT_TRUE(state.descriptors.remove({"d_interrupt", 0}));
  EXPECT_EQ(source.exec("/bin/vmm", kArguments).code, ErrorCode::bad_state);
  EXPECT_EQ(process.image(), 0u);
}

// Across

TEST_F(ExecTest, TheNewImageHasTheSameNumbersCloseOnExecAndNothingElse) {
  auto descriptions = truth.descriptors(process);
  os::Fd other = own(kernel.eventfd(0, abi::efd_cloexec));
  ExecSource source(kernel, state);
  ASSERT_TRUE(source.persist());
  EXPECT_EQ(source.exec("/bin/vmm", kArguments).code, ErrorCode::gone);
  ASSERT_EQ(process.image(), 1u);
  os::Kernel& image = process.kernel();
  ASSERT_TRUE(exec_state_present(image));
  {
    auto loaded = load_exec_state(image);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->devices.find("d"), (store::DeviceIds{1, 2, 3}));
    EXPECT_FALSE(exec_state_present(image));
    auto now_open = truth.descriptors(process);
    ASSERT_EQ(now_open.size(), 5u) << "the memfd is closed, and what was not in the table";
    for (std::size_t i = 0; i < now_open.size(); ++i) {
      EXPECT_EQ(now_open[i].number, descriptions[i].number);
      EXPECT_EQ(now_open[i].description, descriptions[i].description);
      EXPECT_TRUE(now_open[i].close_on_exec);
      EXPECT_EQ(loaded->descriptors.find_number(now_open[i].number)->key.id, static_cast<int>(i));
    }
  }
  EXPECT_EQ(truth.descriptors_open(process), 0u) << "and the table owns them";
  EXPECT_EQ(truth.bad_closes(), 0u);
}

// The new image: a refusal changes nothing

TEST_F(ExecTest, OddValuesOfTheVariableAreRefused) {
  os::Fd memfd = plant(recorded().bytes);
  std::string number = std::to_string(memfd.number());
  auto before = flags();
  for (std::string odd : {std::string(), std::string("-1"), " " + number, number + " ", number + "x", "0" + number,
                          "+" + number, "0x" + number, std::string("2147483648"), std::string("99999999999999999999"),
                          std::string("1023"), std::string("zero")}) {
    ASSERT_TRUE(kernel.setenv(kExecStateName, odd.c_str()));
    EXPECT_EQ(code_of(load_exec_state(kernel)), ErrorCode::bad_environment) << odd;
    EXPECT_EQ(kernel.getenv(kExecStateName), odd);
  }
  ASSERT_TRUE(kernel.unsetenv(kExecStateName));
  EXPECT_EQ(code_of(load_exec_state(kernel)), ErrorCode::bad_environment);
  EXPECT_EQ(flags(), before);
}

TEST_F(ExecTest, ANumberOfSomethingElseIsRefused) {
  os::Fd memfd = own(kernel.memfd_create("QEMU_CPR_EXEC_STAT", 0));
  os::Fd event = own(kernel.eventfd(0, 0));
  for (const os::Fd* fd : {&memfd, &event}) {
    ASSERT_TRUE(kernel.setenv(kExecStateName, std::to_string(fd->number()).c_str()));
    EXPECT_EQ(code_of(load_exec_state(kernel)), ErrorCode::bad_environment);
  }
}

TEST_F(ExecTest, EveryTruncationIsRefusedAndChangesNothing) {
  std::vector<std::byte> bytes = recorded().bytes;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    os::Fd memfd = plant(std::span(bytes).first(size));
    auto before = flags();
    auto loaded = load_exec_state(kernel);
    ASSERT_FALSE(loaded) << size;
    EXPECT_TRUE(loaded.error().offset) << size;
    EXPECT_EQ(flags(), before);
    EXPECT_TRUE(exec_state_present(kernel));
  }
}

TEST_F(ExecTest, AWrongKindIsRefusedAndChangesNothing) {
  ASSERT_TRUE(state.descriptors.save({"e_interrupt", 0}, own(kernel.memfd_create("ram", 0))));
  os::Fd memfd = plant(recorded().bytes);
  auto before = flags();
  EXPECT_EQ(code_of(load_exec_state(kernel)), ErrorCode::wrong_kind);
  EXPECT_EQ(flags(), before);
  EXPECT_TRUE(exec_state_present(kernel));
}

TEST_F(ExecTest, ATableThatNamesTheMemfdOfTheStateIsRefused) {
  os::Fd placeholder = own(kernel.memfd_create(kExecStateName, 0));
  ASSERT_TRUE(state.descriptors.adopt({"ram0", 0}, kernel, placeholder.number()));
  wire::Outbox out = recorded();
  ASSERT_TRUE(state.descriptors.take({"ram0", 0})->release() >= 0);
  ASSERT_TRUE(wire::write_memfd(kernel, placeholder.number(), out.bytes));
  ASSERT_TRUE(kernel.setenv(kExecStateName, std::to_string(placeholder.number()).c_str()));
  auto before = flags();
  EXPECT_EQ(code_of(load_exec_state(kernel)), ErrorCode::same_descriptor);
  EXPECT_EQ(flags(), before);
}

// On Linux

/// Runs in the new image that the test below makes; without the variable there is nothing to say.
TEST(RealExec, DISABLED_NewImage) {
  auto kernel = os::linux_kernel();
  auto loaded = load_exec_state(*kernel);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_FALSE(exec_state_present(*kernel));
  ASSERT_EQ(loaded->descriptors.size(), 3u);
  for (store::Entry entry : loaded->descriptors) {
    EXPECT_EQ(kernel->fcntl(entry.number, abi::f_getfd, 0), abi::fd_cloexec);
    std::uint64_t value = 0;
    ASSERT_EQ(kernel->read(entry.number, std::as_writable_bytes(std::span(&value, 1))), 8u);
    EXPECT_EQ(value, static_cast<std::uint64_t>(entry.key.id) + 1);
  }
}

TEST(RealExec, TheStateSurvivesARealExecve) {
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto kernel = os::linux_kernel();
    CprState state;
    for (int vector = 0; vector < 3; ++vector) {
      os::Fd fd(*kernel, kernel->eventfd(static_cast<std::uint32_t>(vector) + 1, abi::efd_cloexec).value_or(-1));
      if (!state.descriptors.save({"d_interrupt", vector}, std::move(fd))) ::_exit(2);
    }
    ExecSource source(*kernel, state);
    if (!source.persist()) ::_exit(3);
    std::array<const char*, 3> arguments = {"handover_test", "--gtest_filter=RealExec.DISABLED_NewImage",
                                            "--gtest_also_run_disabled_tests"};
    (void)source.exec("/proc/self/exe", arguments);
    ::_exit(4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RealExec, AProgramThatCannotRunLeavesEverythingAsItWas) {
  auto kernel = os::linux_kernel();
  CprState state;
  os::Fd fd(*kernel, kernel->eventfd(1, abi::efd_cloexec).value_or(-1));
  int number = fd.number();
  ASSERT_TRUE(state.descriptors.save({"d_interrupt", 0}, std::move(fd)));
  ExecSource source(*kernel, state);
  ASSERT_TRUE(source.persist());
  Error error = source.exec("/does/not/exist", kArguments);
  EXPECT_EQ(error.os, Errno::enoent);
  EXPECT_EQ(kernel->fcntl(number, abi::f_getfd, 0), abi::fd_cloexec);
  source.roll_back();
  EXPECT_FALSE(exec_state_present(*kernel));
}

}  // namespace
}  // namespace vcpr::handover
