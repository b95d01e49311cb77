#include "engine/examples/demo_vm/process.hpp"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sstream>
#include <utility>

#include "engine/examples/demo_vm/arrival.hpp"
#include "engine/examples/demo_vm/console.hpp"
#include "engine/examples/demo_vm/guest.hpp"
#include "engine/handover/exec.hpp"
#include "engine/handover/source.hpp"

namespace vcpr::demo {

namespace {

using Words = std::vector<std::string>;

class Process {
 public:
  Process(os::Kernel& kernel, const Options& options)
      : kernel_(kernel), options_(options), console_(kernel), loop_(kernel), steps_(options.die_at, options.stop_at) {}

  int run();

  using Answer = Expected<std::string>;
  Answer counts(const Words& words);
  Answer heartbeat(const Words& words);
  Answer sleep(const Words& words);
  Answer fds(const Words& words);
  Answer ids(const Words& words);
  Answer map(const Words& words);
  Answer status(const Words& words);
  Answer pause(const Words& words);
  Answer resume(const Words& words);
  Answer hand_over(const Words& words);
  Answer quit(const Words& words);

 private:
  Expected<void> begin();
  void obey(const std::string& line);
  Answer follow(handover::SourceOptions options);
  Answer advance_to_end(handover::Source& source);
  template <class T>
  T in_guest(std::uint32_t address);

  os::Kernel& kernel_;
  const Options& options_;
  Console console_;
  lifecycle::MainLoop loop_;
  Steps steps_;
  std::unique_ptr<DemoVm> demo_;
  bool over_ = false;
};

struct Command {
  std::string_view name;
  Process::Answer (Process::*answer)(const Words& words);
  std::string_view help;
};

constexpr std::array<Command, 11> kCommands{{
    {"counts", &Process::counts, "how often each vector was delivered"},
    {"heartbeat", &Process::heartbeat, "rounds, TSC of the last, longest gap (TSC cycles) since the last time asked"},
    {"sleep", &Process::sleep, "on|off: whether the guest halts between interrupts"},
    {"fds", &Process::fds, "this process's descriptors"},
    {"ids", &Process::ids, "iommufd ids of each device"},
    {"map", &Process::map, "where in guest memory counters, heartbeat, stamp, gap and sleep flag lie"},
    {"status", &Process::status, "run state, and what went wrong"},
    {"pause", &Process::pause, "stop the guest"},
    {"resume", &Process::resume, "let it run"},
    {"handover", &Process::hand_over, "transfer CPR_SOCKET MAIN_SOCKET | exec FILE [PROGRAM]"},
    {"quit", &Process::quit, "end"},
}};

int Process::run() {
  if (auto begun = begin(); !begun) {
    console_.say("error " + begun.error().message());
    return 1;
  }
  bool has_input = true;
  while (has_input && !over_) {
    if (auto turned = loop_.turn(os::Deadline::never(), Console::input(), POLLIN); !turned) return 1;
    std::array<os::PollFd, 1> input{{{.fd = Console::input(), .events = POLLIN}}};
    if (auto ready = kernel_.poll(input, {0}); !ready || *ready == 0) continue;
    has_input = console_.fill();
    while (auto line = console_.next_line()) obey(*line);
  }
  return 0;
}

Expected<void> Process::begin() {
  Stopwatch watch(kernel_);
  const bool by_exec = handover::exec_state_present(kernel_);
  const bool is_fresh = options_.incoming.empty() && !by_exec;
  steps_.note_in(&watch);
  auto demo = is_fresh ? DemoVm::create(kernel_, loop_, options_, steps_, std::nullopt)
                       : take_over(kernel_, loop_, options_, steps_);
  steps_.note_in(nullptr);
  if (!demo) return std::unexpected(std::move(demo.error()));
  demo_ = std::move(*demo);
  if (is_fresh) {
    if (auto started = demo_->vm().start(); !started) return started;
  }
  console_.say(is_fresh ? "ready fresh" : (by_exec ? "ready exec" : "ready transfer") + watch.text());
  return {};
}

void Process::obey(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return;
  for (const Command& each : kCommands) {
    if (each.name != words.front()) continue;
    auto answer = (this->*each.answer)(words);
    return console_.say(answer ? "ok" + *answer : "error " + answer.error().message());
  }
  std::string names;
  for (const Command& each : kCommands) names += " " + std::string(each.name);
  console_.say("error commands:" + names);
}

template <class T>
T Process::in_guest(std::uint32_t address) {
  T value{};
  std::memcpy(&value, demo_->memory().subspan(address, sizeof value).data(), sizeof value);
  return value;
}

Process::Answer Process::counts(const Words&) {
  std::string text;
  for (std::uint32_t vector = 0; vector < 256; ++vector)
    if (const std::uint32_t count = demo_->counter(vector); count != 0)
      text += " " + std::to_string(vector) + ":" + std::to_string(count);
  return text;
}

Process::Answer Process::heartbeat(const Words&) {
  const GuestMap map = guest_map();
  std::string text = " rounds " + std::to_string(in_guest<std::uint64_t>(map.heartbeat)) + " stamp " +
                     std::to_string(in_guest<std::uint64_t>(map.stamp)) + " gap " +
                     std::to_string(in_guest<std::uint64_t>(map.gap));
  if (demo_->tsc_khz() != 0) text += " khz " + std::to_string(demo_->tsc_khz());
  const std::uint64_t zero = 0;
  std::memcpy(demo_->memory().subspan(map.gap, sizeof zero).data(), &zero, sizeof zero);
  return text;
}

Process::Answer Process::sleep(const Words& words) {
  const std::uint32_t sleeps = words.size() > 1 && words[1] == "on" ? 1 : 0;
  std::memcpy(demo_->memory().subspan(guest_map().sleeps, sizeof sleeps).data(), &sleeps, sizeof sleeps);
  return "";
}

Process::Answer Process::fds(const Words&) {
  std::string text;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    text += " " + each.path().filename().string() + "=" + std::filesystem::read_symlink(each.path(), error).string();
  }
  return text;
}

Process::Answer Process::ids(const Words&) {
  std::string text;
  for (const DeviceOptions& each : options_.devices) {
    const vfio::Device& device = demo_->vm().device(each.address)->device();
    text += " " + each.address + "=" + std::to_string(device.devid) + "/" + std::to_string(device.cpr.ioas_id) + "/" +
            std::to_string(device.cpr.hwpt_id);
  }
  return text;
}

Process::Answer Process::map(const Words&) {
  const GuestMap map = guest_map();
  std::string text;
  for (std::uint32_t address : {map.counters, map.heartbeat, map.stamp, map.gap, map.sleeps, map.fault})
    text += " " + std::to_string(address);
  return text;
}

Process::Answer Process::status(const Words&) {
  std::string text = " " + std::string(name(demo_->vm().life().run_state));
  if (auto trouble = demo_->trouble()) text += " " + *trouble;
  if (const auto fault = in_guest<std::uint32_t>(guest_map().fault); fault != 0)
    text += " the guest met exception " + std::to_string(fault - 1);
  return text;
}

Process::Answer Process::pause(const Words&) {
  if (auto done = demo_->vm().pause(); !done) return std::unexpected(std::move(done.error()));
  return "";
}

Process::Answer Process::resume(const Words&) {
  if (auto done = demo_->vm().start(); !done) return std::unexpected(std::move(done.error()));
  return "";
}

Process::Answer Process::quit(const Words&) {
  over_ = true;
  return "";
}

Process::Answer Process::hand_over(const Words& words) {
  handover::SourceOptions source;
  source.timeouts = {.connect = options_.patience, .transfer = options_.patience, .hang_up = options_.patience};
  if (words.size() == 4 && words[1] == "transfer") {
    source.cpr_socket = words[2];
    source.main_socket = words[3];
    return follow(std::move(source));
  }
  if (words.size() < 3 || words[1] != "exec") return refuse(ErrorCode::bad_value, {"handover: see help"});
  constexpr int kOwnersOnly = 0600;
  const os::Fd file(kernel_, ::open(words[2].c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnersOnly));
  if (!file) return refuse(ErrorCode::os_error, {"open of ", words[2]});
  source.mode = lifecycle::Mode::cpr_exec;
  source.main_file = file.number();
  source.exec_arguments = options_.command;
  source.exec_arguments.insert(source.exec_arguments.end(), {"--main-file", words[2]});
  source.exec_path = words.size() > 3 ? words[3] : options_.command.front();
  return follow(std::move(source));
}

/// Exec: when all goes well there is no answer from here; the new image says "ready".
Process::Answer Process::follow(handover::SourceOptions options) {
  handover::Source source(demo_->vm(), std::move(options));
  Stopwatch watch(kernel_);
  steps_.note_in(&watch, [&] { console_.say("# source" + watch.text()); });
  Answer answer = advance_to_end(source);
  steps_.note_in(nullptr);
  if (answer) *answer = watch.text();
  return answer;
}

Process::Answer Process::advance_to_end(handover::Source& source) {
  bool has_told = false;
  for (;;) {
    steps_.reach(name(source.phase()));
    auto advanced = source.advance();
    steps_.reach(name(source.phase()));
    if (!advanced) return std::unexpected(std::move(advanced.error()));
    if (advanced->done) return "";
    if (source.obstacle() && !std::exchange(has_told, true)) console_.say("# waiting: " + source.obstacle()->message());
    if (auto turned = loop_.turn(advanced->until, advanced->fd, advanced->events); !turned)
      return std::unexpected(std::move(turned.error()));
  }
}

}  // namespace

int run(os::Kernel& kernel, const Options& options) {
  return Process(kernel, options).run();
}

std::string_view commands_help() {
  static const std::string kText = [] {
    std::string text;
    for (const Command& each : kCommands) {
      text += "  " + std::string(each.name) + std::string(11 - each.name.size(), ' ');
      text += std::string(each.help) + "\n";
    }
    return text;
  }();
  return kText;
}

}  // namespace vcpr::demo
