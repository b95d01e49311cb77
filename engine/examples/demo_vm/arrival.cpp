#include "engine/examples/demo_vm/arrival.hpp"

#include <fcntl.h>

#include "engine/handover/target.hpp"

namespace vcpr::demo {

namespace {

handover::TargetOptions target_options(const Options& options, int main_file) {
  handover::TargetOptions target;
  target.cpr_socket = options.incoming;
  target.main_socket = options.main_socket;
  if (options.incoming.empty()) {
    target.mode = lifecycle::Mode::cpr_exec;
    target.main_file = main_file;
  }
  target.timeouts = {.connect = options.patience, .transfer = options.patience, .hang_up = options.patience};
  // Whoever started this process may take a while to ask the old one.
  target.timeouts.connect = os::Duration::seconds(60);
  return target;
}

Expected<os::Fd> open_main_file(os::Kernel& kernel, const Options& options) {
  if (!options.incoming.empty()) return os::Fd{};
  auto file = kernel.open(options.main_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (!file) return refuse_os(file.error(), {"open of ", options.main_file});
  return os::Fd(kernel, *file);
}

Expected<std::unique_ptr<DemoVm>> build(os::Kernel& kernel, lifecycle::MainLoop& loop, const Options& options,
                                        Steps& steps, handover::Target& target) {
  auto arrival = target.take_arrival();
  if (!arrival) return std::unexpected(std::move(arrival.error()));
  auto demo = DemoVm::create(kernel, loop, options, steps, std::move(*arrival));
  if (!demo) return demo;
  if (auto attached = target.attach((*demo)->vm()); !attached) return std::unexpected(std::move(attached.error()));
  return demo;
}

}  // namespace

Expected<std::unique_ptr<DemoVm>> take_over(os::Kernel& kernel, lifecycle::MainLoop& loop, const Options& options,
                                            Steps& steps) {
  auto file = open_main_file(kernel, options);
  if (!file) return std::unexpected(std::move(file.error()));
  std::unique_ptr<DemoVm> demo;  // outlives the target
  handover::Target target(kernel, target_options(options, file->number()));
  for (;;) {
    steps.reach(name(target.step()));
    auto advanced = target.advance();
    steps.reach(name(target.step()));
    if (!advanced) return std::unexpected(std::move(advanced.error()));
    if (advanced->done && target.step() == handover::TargetStep::building) {
      auto built = build(kernel, loop, options, steps, target);
      if (!built) return built;
      demo = std::move(*built);
    } else if (advanced->done) {
      return demo;
    } else if (auto turned = loop.turn(advanced->until, advanced->fd, advanced->events); !turned) {
      return std::unexpected(std::move(turned.error()));
    }
  }
}

}  // namespace vcpr::demo
