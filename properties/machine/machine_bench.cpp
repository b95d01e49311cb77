// What a machine costs: one per fuzz input, and a few dozen calls on it.
#include <array>
#include <benchmark/benchmark.h>

#include "engine/os/abi.hpp"
#include "engine/os/scm_rights.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {
namespace {

namespace abi = os::abi;

constexpr int kStream = abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec;

void construct_and_destroy(benchmark::State& state) {
  for (auto _ : state) {
    Machine machine;
    Process& old_process = machine.spawn();
    os::Kernel& kernel = old_process.kernel();
    benchmark::DoNotOptimize(kernel.socketpair(abi::af_unix, kStream, 0));
    benchmark::DoNotOptimize(kernel.eventfd(0, abi::efd_nonblock));
    benchmark::DoNotOptimize(machine.fork(old_process).pid());
  }
}
BENCHMARK(construct_and_destroy);

void construct_with_two_devices(benchmark::State& state) {
  for (auto _ : state) {
    Machine machine;
    machine.plug({DeviceModel::igb, 1, "0000:00:05.0"});
    machine.plug({DeviceModel::igb, 2, "0000:00:06.0"});
    benchmark::DoNotOptimize(machine.spawn().pid());
  }
}
BENCHMARK(construct_with_two_devices);

constexpr int kEntries = 16;

/// The calls of a small state's way: make descriptors, send bytes and descriptors, receive, look at each, close all.
void walk_the_state_path(os::Kernel& kernel, int left, int right) {
  std::array<std::int32_t, kEntries> fds;
  for (int i = 0; i < kEntries; ++i)
    fds[static_cast<std::size_t>(i)] =
        *(i % 2 == 0 ? kernel.eventfd(0, abi::efd_nonblock) : kernel.memfd_create("ram", abi::mfd_cloexec));
  std::array<std::byte, 600> data{};
  std::array<std::byte, os::scm_rights_space(kEntries)> control;
  (void)kernel.sendmsg(left, data, os::write_scm_rights(control, fds), abi::msg_nosignal);
  const auto received = kernel.recvmsg(right, data, control, abi::msg_cmsg_cloexec);
  os::for_each_scm_rights(std::span(control).first(received->control), [&](int fd) {
    (void)kernel.fcntl(fd, abi::f_getfd, 0);
    (void)kernel.fstat(fd);
    (void)kernel.close(fd);
  });
  os::PollFd wanted{right, abi::pollin, 0};
  (void)kernel.poll({&wanted, 1}, {0});
  (void)kernel.now();
  for (const int fd : fds) (void)kernel.close(fd);
}

void mean_call_of_the_state_path(benchmark::State& state) {
  std::uint64_t calls = 0;
  for (auto _ : state) {
    Machine machine;
    os::Kernel& kernel = machine.spawn().kernel();
    const auto ends = *kernel.socketpair(abi::af_unix, kStream, 0);
    for (int round = 0; round < 8; ++round) walk_the_state_path(kernel, ends.first, ends.second);
    calls += machine.calls();
  }
  state.counters["per_call"] =
      benchmark::Counter(static_cast<double>(calls), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(mean_call_of_the_state_path);

}  // namespace
}  // namespace vcpr::machine
