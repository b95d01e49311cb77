// What saving and loading the CPR state costs: in memory with numbers that are no descriptors, and over a real socket
// with real eventfds to another process.
#include <benchmark/benchmark.h>
#include <cstdint>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "engine/handover/drive.hpp"
#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/store/null_kernel.hpp"

namespace vcpr::handover {
namespace {

/// Entries as a machine with many devices has them: eight vectors each.
std::string name_of(std::size_t entry) {
  return "0000:" + std::to_string(10 + entry / 256) + ":" + std::to_string(10 + entry / 8 % 32) + ".0_kvm_interrupt";
}

CprState numbered(store::NullKernel& kernel, std::size_t entries) {
  CprState state;
  for (std::size_t i = 0; i < entries; ++i) {
    std::string name = name_of(i);
    (void)state.descriptors.adopt({name, static_cast<std::int32_t>(i % 8)}, kernel, static_cast<int>(i));
  }
  return state;
}

/// Four descriptors and one device record in 158 bytes.
CprState smallest_real(store::NullKernel& kernel) {
  CprState state;
  int number = 0;
  for (std::string_view name : {"memory-backend-ram0", "pc.bios0", "iommufd0", "0000:00:07.0"}) {
    (void)state.descriptors.adopt({name, 0}, kernel, number++);
  }
  (void)state.devices.add("0000:00:07.0", {1, 2, 3});
  return state;
}

struct NullKernelThatKeepsNothing : store::NullKernel {
  NullKernelThatKeepsNothing() { keeps_closed = false; }
};

/// Freed memory that malloc keeps.
constexpr int kKeptBytes = 1 << 28;

void per_entry(benchmark::State& state, std::size_t entries) {
  double all = static_cast<double>(state.iterations()) * static_cast<double>(entries);
  state.counters["per_entry"] = benchmark::Counter(all, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_save(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  auto entries = static_cast<std::size_t>(state.range(0));
  CprState cpr = numbered(kernel, entries);
  for (auto _ : state) {
    wire::Outbox out;
    benchmark::DoNotOptimize(save_cpr_state(cpr, Encoding::transfer, out));
  }
  per_entry(state, entries);
}

/// An Inbox as a receiver would have filled it.
wire::Inbox received(os::Kernel& kernel, const wire::Outbox& out) {
  wire::Inbox in{out.bytes, {}};
  in.descriptors.reserve(out.descriptors.size());
  for (const wire::RidingFd& riding : out.descriptors) {
    in.descriptors.push_back({riding.offset, os::Fd(kernel, riding.number)});
  }
  return in;
}

/// Times loads alone: arrivals are made beforehand and what was loaded is closed afterwards, a batch at a time. Memory
/// that was freed is kept, or zeroing fresh pages in the kernel would be half of what is measured.
void load(benchmark::State& state, os::Kernel& kernel, const CprState& cpr) {
  (void)::mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  (void)::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  wire::Outbox out;
  if (!save_cpr_state(cpr, Encoding::transfer, out)) state.SkipWithError("not saved");
  constexpr std::size_t kEntriesAtOnce = 4096;
  std::size_t batch = kEntriesAtOnce / cpr.descriptors.size() + 1;
  std::vector<wire::Inbox> arrivals;
  std::vector<Expected<CprState>> loaded;
  loaded.reserve(batch);
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(batch))) {
    state.PauseTiming();
    arrivals.clear();
    loaded.clear();
    for (std::size_t i = 0; i < batch; ++i) arrivals.push_back(received(kernel, out));
    state.ResumeTiming();
    for (wire::Inbox& arrival : arrivals) {
      loaded.push_back(load_cpr_state(kernel, std::move(arrival), Encoding::transfer));
      if (!loaded.back()) return state.SkipWithError(loaded.back().error().message().c_str());
    }
  }
  state.counters["bytes"] = static_cast<double>(out.bytes.size());
  per_entry(state, cpr.descriptors.size());
}

void BM_load(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  load(state, kernel, numbered(kernel, static_cast<std::size_t>(state.range(0))));
}

void BM_load_four_entries_and_a_record(benchmark::State& state) {
  NullKernelThatKeepsNothing kernel;
  load(state, kernel, smallest_real(kernel));
}

/// The new process: takes one state after the other at `path`, as often as it is asked to through `control`, and says
/// when it listens. Ends with the other side of `control`.
[[noreturn]] void take_states(os::Kernel& kernel, const std::string& path, int control) {
  char next = 0;
  while (::read(control, &next, 1) == 1) {
    TransferTarget target(kernel, path);
    if (::write(control, &next, 1) != 1 || !drive(kernel, target)) ::_exit(1);
    target.acknowledge();
  }
  ::_exit(0);
}

/// A child process that takes states, for as long as this lives.
class Receiver {
 public:
  explicit Receiver(os::Kernel& kernel) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      take_states(kernel, path_, ends[1]);
    }
    ::close(ends[1]);
    control_ = ends[0];
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver() {
    ::close(control_);
    (void)::waitpid(child_, nullptr, 0);
    (void)::unlink(path_.c_str());
  }
  /// Where it listens now; false when it has died.
  bool listens() {
    char next = 1;
    return ::send(control_, &next, 1, MSG_NOSIGNAL) == 1 && ::read(control_, &next, 1) == 1;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/vcpr-handover-bench." + std::to_string(::getpid());
  pid_t child_ = -1;
  int control_ = -1;
};

void raise_descriptor_limit() {
  rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A table of real eventfds. `reserved`: the names demand that they are eventfds.
bool fill_with_eventfds(CprState& cpr, os::Kernel& kernel, std::size_t entries, bool reserved) {
  for (std::size_t i = 0; i < entries; ++i) {
    std::string name = name_of(i) + (reserved ? "" : "_any");
    os::Fd fd(kernel, kernel.eventfd(0, os::abi::efd_cloexec).value_or(-1));
    if (!cpr.descriptors.save({name, static_cast<std::int32_t>(i % 8)}, std::move(fd))) return false;
  }
  return true;
}

/// Wall time of the whole handover to another process as the old one sees it: recording, connecting, sending, and until
/// the new process has loaded and verified the state and hung up. Reserved names cost the new process one readlink
/// each.
void hand_over(benchmark::State& state, bool reserved) {
  auto kernel = os::linux_kernel();
  raise_descriptor_limit();
  Receiver receiver(*kernel);  // before there are descriptors to inherit
  auto entries = static_cast<std::size_t>(state.range(0));
  CprState cpr;
  if (!fill_with_eventfds(cpr, *kernel, entries, reserved)) return state.SkipWithError("RLIMIT_NOFILE is too low");
  for (auto _ : state) {
    state.PauseTiming();
    if (!receiver.listens()) return state.SkipWithError("the receiver has died");
    state.ResumeTiming();
    TransferSource source(*kernel, receiver.path(), cpr);
    Expected<void> handed_over = drive(*kernel, source);
    if (!handed_over) return state.SkipWithError(handed_over.error().message().c_str());
  }
  per_entry(state, entries);
}

void BM_hand_over_to_a_process(benchmark::State& state) {
  hand_over(state, false);
}
void BM_hand_over_reserved_names(benchmark::State& state) {
  hand_over(state, true);
}

BENCHMARK(BM_save)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_load)->RangeMultiplier(10)->Range(10, 100000);
BENCHMARK(BM_load_four_entries_and_a_record);
BENCHMARK(BM_hand_over_to_a_process)->RangeMultiplier(10)->Range(10, 10000)->UseRealTime();
BENCHMARK(BM_hand_over_reserved_names)->RangeMultiplier(10)->Range(10, 10000)->UseRealTime();

}  // namespace
}  // namespace vcpr::handover
