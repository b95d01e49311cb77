// What a stream of descriptors costs on a real socket, sender and receiver in turn in one process. An entry is what a
// descriptor table has: a name of a few bytes, an id and the descriptor. Closing what arrived is not measured.
#include <benchmark/benchmark.h>
#include <memory>
#include <sys/resource.h>

#include "engine/os/abi.hpp"
#include "engine/os/linux_kernel.hpp"
#include "engine/wire/channel.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::wire {
namespace {

namespace abi = os::abi;

Outbox entries(std::int64_t count, int descriptor) {
  Outbox out;
  Writer writer(out);
  for (std::int64_t i = 0; i < count; ++i) {
    writer.be32(16);
    writer.text("0000:01:00.0-msi");
    writer.be32(static_cast<std::uint32_t>(i));
    writer.be32(0);
    writer.descriptor(descriptor);
  }
  return out;
}

/// Everything from one end to the other; false if a limit is in the way.
bool transfer(os::Kernel& kernel, const Outbox& out, Inbox& in, int near, int far) {
  SocketSender sender(kernel, out);
  SocketReceiver receiver(kernel, in);
  for (Progress sent = Progress::would_block; sent != Progress::done;) {
    auto progress = sender.advance(near);
    if (!progress || !receiver.advance(far)) return false;
    sent = *progress;
  }
  return in.descriptors.size() == out.descriptors.size();
}

void socket_transfer(benchmark::State& state) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  auto kernel = os::linux_kernel();
  auto ends = *kernel->socketpair(abi::af_unix, abi::sock_stream | abi::sock_nonblock | abi::sock_cloexec, 0);
  os::Fd near(*kernel, ends.first);
  os::Fd far(*kernel, ends.second);
  os::Fd event(*kernel, *kernel->eventfd(0, abi::efd_cloexec));
  Outbox out = entries(state.range(0), event.number());
  for (auto _ : state) {
    Inbox in;
    if (!transfer(*kernel, out, in, near.number(), far.number()))
      return state.SkipWithError("RLIMIT_NOFILE is too low");
    state.PauseTiming();
    in = {};
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(socket_transfer)->Arg(16)->Arg(1000)->Arg(10000);

}  // namespace
}  // namespace vcpr::wire
