// An old and a new VM on one simulated machine, stepped in turn until both sides of a handover have ended.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/handover/source.hpp"
#include "engine/handover/target.hpp"
#include "engine/lifecycle/main_loop.hpp"
#include "engine/os/abi.hpp"
#include "properties/machine/machine.hpp"
#include "properties/machine/truth.hpp"

namespace vcpr::handover {

/// vCPU threads that note what they are told.
class TestVcpus final : public lifecycle::Vcpus {
 public:
  Expected<void> pause() override {
    running = false;
    if (on_pause) on_pause();
    return fails_to_pause ? refuse(ErrorCode::bad_state, {"vCPU 0 does not stop"}) : Expected<void>{};
  }
  Expected<void> resume() override {
    if (resume_failures > 0) {
      --resume_failures;
      return refuse(ErrorCode::bad_state, {"vCPU 0 does not start"});
    }
    running = true;
    ++resumed;
    if (on_resume) on_resume();
    return {};
  }

  bool running = false;
  int resumed = 0;
  bool fails_to_pause = false;
  int resume_failures = 0;
  std::function<void()> on_pause;
  std::function<void()> on_resume;
};

/// What user space was to deliver.
class NotedInterrupts final : public kvm::InterruptSink {
 public:
  Expected<void> send_message(const kvm::MsiMessage& message) override {
    messages.push_back(message.data);
    return {};
  }
  Expected<void> set_line(std::uint32_t, bool) override { return {}; }
  std::vector<std::uint32_t> messages;
};

class NotedEvents final : public vfio::DeviceEvents {
 public:
  void device_error(const std::string& device) override { errors.push_back(device); }
  void unplug_requested(const std::string& device) override { requests.push_back(device); }
  std::vector<std::string> errors;
  std::vector<std::string> requests;
};

/// One process with a VM in it.
struct Side {
  explicit Side(machine::Process& its_process) : process(&its_process), kernel(&its_process.kernel()), loop(*kernel) {}

  Expected<void> build(const vm::Config& config, std::optional<vm::Arrival> arrival = std::nullopt) {
    auto made = vm::VirtualMachine::create(*kernel, {vcpus, loop, events, &interrupts}, config, std::move(arrival));
    if (!made) return std::unexpected(std::move(made.error()));
    vm = std::move(*made);
    return {};
  }
  lifecycle::RunState run_state() const { return vm->life().run_state; }

  machine::Process* process;
  os::Kernel* kernel;
  TestVcpus vcpus;
  lifecycle::MainLoop loop;
  NotedEvents events;
  NotedInterrupts interrupts;
  std::unique_ptr<vm::VirtualMachine> vm;
};

inline constexpr const char* kCprSocket = "/run/cpr.sock";
inline constexpr const char* kMainSocket = "/run/main.sock";

inline SourceOptions transfer_source() {
  SourceOptions options;
  options.cpr_socket = kCprSocket;
  options.main_socket = kMainSocket;
  return options;
}
inline TargetOptions transfer_target() {
  TargetOptions options;
  options.cpr_socket = kCprSocket;
  options.main_socket = kMainSocket;
  return options;
}

inline SourceOptions exec_source(int file, std::string program = "/bin/vmm") {
  SourceOptions options;
  options.mode = lifecycle::Mode::cpr_exec;
  options.main_file = file;
  options.exec_path = std::move(program);
  options.exec_arguments = {"vmm"};
  return options;
}
/// The VM of `owner` in the next image of its process; `between`: while no image has it. An error of either side.
inline Expected<std::unique_ptr<Side>> exec_on(
    Side& owner, const vm::Config& config, const std::function<void()>& between = [] {}) {
  const int file = owner.kernel->memfd_create("main", os::abi::mfd_noexec_seal).value_or(-1);
  Source source(*owner.vm, exec_source(file));
  Expected<Advance> gone = source.advance();
  if (gone || gone.error().code != ErrorCode::gone) {
    (void)owner.kernel->close(file);
    return gone ? refuse(ErrorCode::bad_state, {"execve did not come"}) : std::unexpected(std::move(gone.error()));
  }
  between();
  auto next = std::make_unique<Side>(*owner.process);
  TargetOptions options;
  options.mode = lifecycle::Mode::cpr_exec;
  options.main_file = file;
  Target target(*next->kernel, options);
  Expected<Advance> loaded = target.advance();
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  Expected<void> built = next->build(config, *target.take_arrival());
  if (built) built = target.attach(*next->vm);
  if (!built) return std::unexpected(std::move(built.error()));
  loaded = target.advance();
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  if (auto closed = next->kernel->close(file); !closed) return refuse_os(closed.error(), {"close of the main stream"});
  return next;
}

/// While it lives, a fault meets `times` of the calls that can have it, after the first `left`.
class FaultAtNth final : public machine::Schedule {
 public:
  FaultAtNth(machine::Machine& machine, const machine::FaultRule& rule, int left, int times = 1)
      : machine_(machine), rule_(rule), left_(left), times_(times) {
    machine_.set_schedule(this);
  }
  ~FaultAtNth() override { machine_.set_schedule(nullptr); }
  FaultAtNth(const FaultAtNth&) = delete;
  FaultAtNth& operator=(const FaultAtNth&) = delete;
  machine::FaultPoint before(const machine::CallSite& site) override {
    const bool is_due = site.call == rule_.call && left_-- <= 0 && times_-- > 0;
    return is_due ? rule_.point : machine::FaultPoint::none;
  }
  /// There was no such call.
  bool is_beyond() const { return left_ >= 0; }

 private:
  machine::Machine& machine_;
  const machine::FaultRule& rule_;
  int left_;
  int times_;
};

/// How an attempt ended on one side; neither: not yet.
struct Ending {
  bool done = false;
  std::optional<Error> error;
  bool is_over() const { return done || error; }
  std::string text() const { return error ? error->message() : done ? "done" : "not over"; }
};

/// A transfer between two sides, a step at a time.
class Pair {
 public:
  Pair(machine::Machine& machine, Side& old_side, Side& new_side, vm::Config config)
      : machine_(machine), old_(old_side), new_(new_side), config_(std::move(config)) {}

  void begin(SourceOptions source = transfer_source(), TargetOptions target = transfer_target()) {
    old_end = new_end = {};
    source_.reset();
    target_.reset();
    new_.vm.reset();
    source_.emplace(*old_.vm, std::move(source));
    target_.emplace(*new_.kernel, std::move(target));
  }
  void step_old() {
    if (!old_end.is_over()) take(old_end, source_->advance());
  }
  void step_new() {
    if (new_end.is_over()) return;
    Expected<Advance> advanced = target_->advance();
    if (!advanced || !advanced->done || target_->step() == TargetStep::done) return take(new_end, std::move(advanced));
    if (Expected<void> built = build(); !built) {
      new_end.error = std::move(built.error());
      target_->cancel();
    }
  }
  /// A process that dies takes its objects' effects with it.
  void step() {
    step_old();
    step_new();
    machine_.advance_time(kConnectRetry.nanoseconds);
  }
  /// False when one side hangs.
  bool finish(int turns = 20000) {
    for (; turns > 0 && !(old_end.is_over() && new_end.is_over()); --turns) step();
    return turns > 0;
  }
  /// Steps until the source is in this phase, or over.
  bool run_to(Phase phase) {
    for (int turn = 0; turn < 100 && source_->phase() != phase && !old_end.is_over(); ++turn) {
      step_old();
      if (source_->phase() != phase) step_new();
    }
    return source_->phase() == phase;
  }
  bool run_to(TargetStep step) {
    for (int turn = 0; turn < 100 && target_->step() != step && !new_end.is_over(); ++turn) {
      step_new();
      if (target_->step() != step) step_old();
    }
    return target_->step() == step;
  }

  Source& source() { return *source_; }
  Target& target() { return *target_; }
  void drop_source() { source_.reset(); }
  void drop_target() { target_.reset(); }

  Ending old_end;
  Ending new_end;
  /// Called with the new VM between attach and the first step after it.
  std::function<void(vm::VirtualMachine&)> on_built;

 private:
  Expected<void> build() {
    Expected<std::optional<vm::Arrival>> arrival = target_->take_arrival();
    if (!arrival) return std::unexpected(std::move(arrival.error()));
    if (Expected<void> built = new_.build(config_, std::move(*arrival)); !built) return built;
    if (on_built) on_built(*new_.vm);
    return target_->attach(*new_.vm);
  }
  static void take(Ending& ending, Expected<Advance> advanced) {
    if (!advanced) {
      ending.error = std::move(advanced.error());
    } else {
      ending.done = advanced->done;
    }
  }

  machine::Machine& machine_;
  Side& old_;
  Side& new_;
  vm::Config config_;
  std::optional<Source> source_;
  std::optional<Target> target_;
};

}  // namespace vcpr::handover
