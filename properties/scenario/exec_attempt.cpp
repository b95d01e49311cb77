#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "engine/handover/exec.hpp"
#include "engine/os/abi.hpp"
#include "properties/scenario/attempt.hpp"

namespace vcpr::scenario {

namespace {

constexpr const char* kProgram = "/usr/bin/vmm";

class ExecAttempt final : public Stage {
 public:
  ExecAttempt(Play& play, Events& events, std::uint8_t handover)
      : play_(play), events_(events), image_(play.old_process->image()) {
    play_.record();
    events_.begin(handover, *this);
  }

  Ending run(std::string& ending);
  void act(const Event& event, const machine::CallSite& site) override;

 private:
  bool replaced() const { return play_.old_process->image() != image_; }
  std::string run_old();
  std::string run_new();
  void check_inherited();
  Ending judge(const std::string& ending);

  Play& play_;
  Events& events_;
  std::uint32_t image_;
};

/// Kills and signals; there is no other side to step, and one image has no socket to shut.
void ExecAttempt::act(const Event& event, const machine::CallSite&) {
  bool kills = event.action == (replaced() ? Action::kill_new : Action::kill_old);
  if (kills) return play_.old_process->kill();
  if (event.action != Action::signal || event.operand >= play_.scenario.entries.size() || replaced()) return;
  const Entry& entry = play_.scenario.entries[event.operand];
  Expected<int> number = play_.old_state->descriptors.find({text(entry.name), entry.id});
  if (!number || entry.object != Object::eventfd || !play_.was_saved(event.operand)) return;
  std::array<std::byte, 8> one{std::byte{1}};
  (void)play_.old_process->kernel().write(*number, one);
}

/// The old image: its error, or "" when it is no more.
std::string ExecAttempt::run_old() {
  handover::ExecSource source(play_.old_process->kernel(), *play_.old_state);
  if (Expected<void> persisted = source.persist(); !persisted) return persisted.error().message();
  play_.exec_under_way = true;
  std::array<const char* const, 1> arguments{kProgram};
  Error error = source.exec(kProgram, arguments);
  play_.exec_under_way = false;
  return replaced() ? std::string() : error.message();
}

/// The new image, which finds what it was left.
std::string ExecAttempt::run_new() {
  play_.new_process = play_.old_process;
  play_.old_state.reset();  // its image is gone: nothing is closed
  for (const invariants::Descriptor& open : invariants::open_descriptors(*play_.new_process)) {
    play_.new_others.push_back(open.number);
  }
  os::Kernel& kernel = play_.new_process->kernel();
  if (!handover::exec_state_present(kernel)) return "no state in the environment";
  std::optional<std::string> variable = kernel.getenv(handover::kExecStateName);
  Expected<handover::CprState> state = handover::load_exec_state(kernel, accepted_peer(play_.scenario));
  if (!state) {
    check_inherited();
    return state.error().message();
  }
  // What the table owns is the table's, and the memfd that carried it is closed.
  int memfd = -1;
  if (variable) (void)std::from_chars(variable->data(), variable->data() + variable->size(), memfd);
  std::vector<int> taken{memfd};
  for (store::Entry entry : state->descriptors) taken.push_back(entry.number);
  std::erase_if(play_.new_others, [&](int number) { return std::ranges::find(taken, number) != taken.end(); });
  play_.new_state = std::move(*state);
  play_.loaded = true;
  Expected<void> claimed = play_.claim();
  return claimed ? "done" : claimed.error().message();
}

/// A load that is refused leaves what was inherited as it was.
void ExecAttempt::check_inherited() {
  if (!play_.new_process->alive()) return;
  std::size_t open = invariants::open_descriptors(*play_.new_process).size();
  if (open == play_.new_others.size()) return;
  play_.violate({"I3",
                 "a refused load leaves " + std::to_string(play_.new_others.size()) + " inherited descriptors open",
                 std::to_string(open) + " are"});
}

Ending ExecAttempt::judge(const std::string& ending) {
  invariants::Attempt attempt;
  attempt.succeeded = ending == "done" && play_.new_process->alive();
  attempt.outcome = ending;
  if (!events_.disturbed()) attempt.wanted = play_.expected_ending(0);
  play_.check_end(attempt);
  if (attempt.succeeded) return Ending::taken_over;
  return !replaced() && play_.old_process->alive() ? Ending::old_goes_on : Ending::lost;
}

Ending ExecAttempt::run(std::string& ending) {
  ending = run_old();
  if (replaced()) ending = run_new();
  play_.tell(replaced() ? "new" : "old", "ends: " + ending);
  events_.finish();
  return judge(ending);
}

}  // namespace

Ending attempt_exec(Play& play, Events& events, std::uint8_t handover, std::string& ending) {
  return ExecAttempt(play, events, handover).run(ending);
}

}  // namespace vcpr::scenario
