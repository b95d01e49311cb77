#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/handover/transfer.hpp"
#include "engine/os/abi.hpp"
#include "properties/scenario/attempt.hpp"
#include "properties/scenario/objects.hpp"

namespace vcpr::scenario {

namespace {

/// Descriptors that source or target hold beside the table while they work.
constexpr std::uint32_t kWorkingDescriptors = 4;
constexpr int kAddedId = 7777;

enum class Who : std::uint8_t { old_side, new_side };
constexpr Who other(Who who) {
  return who == Who::old_side ? Who::new_side : Who::old_side;
}

/// How far one side is.
struct Turn {
  bool finished = false;
  bool succeeded = false;
  bool busy = false;     ///< its thread is in a call of the engine
  bool waiting = false;  ///< `wait` says what for
  handover::Advance wait;
  std::string ending;
  std::vector<Event> postponed;  ///< what its embedder wants to do once that call has returned
};

class TransferAttempt final : public Stage {
 public:
  TransferAttempt(Play& play, Events& events, std::uint8_t handover) : play_(play), events_(events) { start(handover); }

  Ending run(std::string& ending);
  void act(const Event& event, const machine::CallSite& site) override;

 private:
  void start(std::uint8_t handover);
  void start_pair(handover::Timeouts timeouts);
  Turn& turn(Who who) { return turns_[static_cast<std::size_t>(who)]; }
  machine::Process& process(Who who) { return who == Who::old_side ? *play_.old_process : *play_.new_process; }
  bool exists(Who who) const { return who == Who::old_side ? source_.has_value() : target_.has_value(); }
  bool may_step(Who who);
  template <class Work>
  void as(Who who, Work work);
  void step(Who who);
  void take(Who who, const Expected<handover::Advance>& advance);
  void finish(Who who, bool succeeded, std::string ending);
  Expected<void> accept_state();
  bool is_over() const;
  bool sleep();
  void drive();
  void apply(const Event& event);
  void signal(const Event& event);
  void add_entry();
  void drop_entry(const Event& event);
  void freeze(Who who);
  void half_close();
  void settle();
  bool may_be_cut_unseen();
  Ending judge(std::string& ending);

  Play& play_;
  Events& events_;
  std::optional<handover::TransferSource> source_;
  std::optional<handover::TransferTarget> target_;
  std::array<Turn, 2> turns_;
  std::string stuck_;
  bool table_changed_ = false;
};

handover::Timeouts timeouts_of(const Scenario& scenario) {
  return {os::Duration::milliseconds(scenario.connect_timeout), os::Duration::milliseconds(scenario.transfer_timeout),
          os::Duration::milliseconds(scenario.hang_up_timeout)};
}

void TransferAttempt::start(std::uint8_t handover) {
  play_.new_process = &play_.machine.spawn();
  play_.new_process->set_descriptor_limit(play_.scenario.descriptor_limit);
  install_stdio(*play_.new_process);
  for (const invariants::Descriptor& open : invariants::open_descriptors(*play_.new_process)) {
    play_.new_others.push_back(open.number);
  }
  play_.record();
  events_.begin(handover, *this);
  handover::Timeouts timeouts = timeouts_of(play_.scenario);
  if (play_.scenario.mode == Mode::transfer_pair) return start_pair(timeouts);
  std::string path = "/run/vcpr/cpr." + std::to_string(handover);
  as(Who::new_side,
     [&] { target_.emplace(play_.new_process->kernel(), path, accepted_peer(play_.scenario), timeouts); });
  as(Who::old_side, [&] {
    play_.record();  // the source records now, too
    source_.emplace(play_.old_process->kernel(), path, *play_.old_state, timeouts);
  });
}

/// The embedder makes the pair in new and hands one end to old, as a service manager would.
void TransferAttempt::start_pair(handover::Timeouts timeouts) {
  os::Kernel& old_kernel = play_.old_process->kernel();
  os::Kernel& new_kernel = play_.new_process->kernel();
  std::string path = "/run/vcpr/pair";
  int type = os::abi::sock_stream | os::abi::sock_nonblock | os::abi::sock_cloexec;
  os::Result<int> listener = new_kernel.socket(os::abi::af_unix, type, 0);
  os::Result<int> client = old_kernel.socket(os::abi::af_unix, type, 0);
  os::Fd owned_listener(new_kernel, listener.value_or(-1));
  os::Fd owned_client(old_kernel, client.value_or(-1));
  os::Result<int> server = -1;
  if (listener && client) {
    (void)new_kernel.unlink(path.c_str());
    (void)new_kernel.bind(*listener, path);
    (void)new_kernel.listen(*listener, 1);
    (void)old_kernel.connect(*client, path);
    server = new_kernel.accept4(*listener, os::abi::sock_nonblock | os::abi::sock_cloexec);
  }
  if (!server || *server < 0) {
    finish(Who::old_side, false, "the embedder could not make the pair");
    return finish(Who::new_side, false, "the embedder could not make the pair");
  }
  as(Who::new_side, [&] {
    target_.emplace(new_kernel, os::Fd(new_kernel, *server), handover::TransferTarget::Given::connected,
                    accepted_peer(play_.scenario), timeouts);
  });
  as(Who::old_side, [&] {
    play_.record();
    source_.emplace(old_kernel, std::move(owned_client), *play_.old_state, timeouts);
  });
}

bool TransferAttempt::may_step(Who who) {
  Turn& mine = turn(who);
  if (mine.finished || mine.busy || !exists(who)) return false;
  if (!mine.waiting || !process(who).alive() || mine.wait.until.passed(play_.machine.now())) return true;
  if (mine.wait.fd < 0) return false;
  os::PollFd wanted{mine.wait.fd, mine.wait.events, 0};
  os::Result<int> ready = process(who).kernel().poll({&wanted, 1}, {0});
  bool is_due = !ready || *ready > 0;
  return is_due && !mine.finished;  // something may have ended this side during the poll
}

/// Does what only this side's thread does; what its embedder wants meanwhile comes after it.
template <class Work>
void TransferAttempt::as(Who who, Work work) {
  Turn& mine = turn(who);
  mine.busy = true;
  work();
  for (std::size_t next = 0; next < mine.postponed.size(); ++next) apply(Event(mine.postponed[next]));
  mine.postponed.clear();
  mine.busy = false;
}

void TransferAttempt::step(Who who) {
  as(who, [&] { take(who, who == Who::old_side ? source_->advance() : target_->advance()); });
}

void TransferAttempt::take(Who who, const Expected<handover::Advance>& advance) {
  if (!advance) return finish(who, false, advance.error().message());
  turn(who).waiting = !advance->done;
  turn(who).wait = *advance;
  if (!advance->done) return;
  if (who == Who::old_side) return finish(who, true, "done");
  Expected<void> accepted = accept_state();
  finish(who, accepted.has_value(), accepted ? "done" : accepted.error().message());
}

void TransferAttempt::finish(Who who, bool succeeded, std::string ending) {
  Turn& mine = turn(who);
  mine.finished = true;
  mine.succeeded = succeeded;
  mine.ending = std::move(ending);
  play_.tell(who == Who::old_side ? "old" : "new", "ends: " + mine.ending);
  if (who == Who::new_side && !succeeded) {
    play_.loaded = false;
    // Out of sight before it closes anything: libc++ still shows what an optional is just destroying.
    (void)std::exchange(play_.new_state, std::nullopt);
    target_.reset();
  }
}

/// A new process that has the state claims its entries, then tells old that it may hang up.
Expected<void> TransferAttempt::accept_state() {
  Expected<handover::CprState> state = target_->take_state();
  if (!state) return std::unexpected(state.error());
  play_.new_state = std::move(*state);
  play_.loaded = true;
  if (Expected<void> claimed = play_.claim(); !claimed) return claimed;
  target_->acknowledge();
  return {};
}

bool TransferAttempt::is_over() const {
  return std::ranges::all_of(turns_, &Turn::finished);
}

/// Nobody can do anything: time passes to the earliest deadline. False: nobody ever will.
bool TransferAttempt::sleep() {
  os::Deadline earliest = os::Deadline::never();
  for (const Turn& turn : turns_) {
    if (!turn.finished) earliest = std::min(earliest, turn.wait.until);
  }
  if (earliest == os::Deadline::never()) return false;
  std::uint64_t now = play_.machine.now();
  if (earliest.nanoseconds > now) play_.machine.advance_time(earliest.nanoseconds - now);
  return true;
}

void TransferAttempt::drive() {
  for (std::uint32_t round = 0; !is_over(); ++round) {
    if (round == kMaxRounds || events_.calls() > kMaxCalls) {
      stuck_ =
          "still at work after " + std::to_string(round) + " rounds and " + std::to_string(events_.calls()) + " calls";
      return;
    }
    Who first = (play_.scenario.turns >> (round % 32) & 1) != 0 ? Who::new_side : Who::old_side;
    bool progress = false;
    for (Who who : {first, other(first)}) {
      if (!may_step(who)) continue;
      step(who);
      progress = true;
    }
    if (progress || is_over() || sleep()) continue;
    stuck_ = "both sides wait without a deadline";
    return;
  }
}

void TransferAttempt::act(const Event& event, const machine::CallSite& site) {
  Who caller = site.process == play_.old_process ? Who::old_side : Who::new_side;
  switch (event.action) {
    case Action::kill_old:
      return play_.old_process->kill();
    case Action::kill_new:
      return play_.new_process->kill();
    case Action::signal:
      return signal(event);
    case Action::half_close:
      return half_close();
    case Action::freeze_old:
      return freeze(Who::old_side);
    case Action::freeze_new:
      return freeze(Who::new_side);
    case Action::step_other:
      if (Who it = other(caller); exists(it) && !turn(it).finished && !turn(it).busy) step(it);
      return;
    default:
      Who doer = event.action == Action::cancel_new ? Who::new_side : Who::old_side;
      if (turn(doer).busy) {
        turn(doer).postponed.push_back(event);
      } else {
        as(doer, [&] { apply(event); });
      }
  }
}

/// What an embedder does between two calls of advance().
void TransferAttempt::apply(const Event& event) {
  if (event.action == Action::cancel_new) {
    if (!turn(Who::new_side).finished) finish(Who::new_side, false, "cancelled");
    return;
  }
  if (!play_.old_process->alive()) return;
  if (event.action == Action::add_entry) return add_entry();
  if (event.action == Action::drop_entry) return drop_entry(event);
  if (source_) source_->cancel();
  if (!turn(Who::old_side).finished) finish(Who::old_side, false, "cancelled");
}

void TransferAttempt::signal(const Event& event) {
  if (event.operand >= play_.scenario.entries.size() || !play_.old_process->alive()) return;
  const Entry& entry = play_.scenario.entries[event.operand];
  Expected<int> number = play_.old_state->descriptors.find({text(entry.name), entry.id});
  if (!number || entry.object != Object::eventfd || !play_.was_saved(event.operand)) return;
  std::array<std::byte, 8> one{std::byte{1}};
  (void)play_.old_process->kernel().write(*number, one);
}

void TransferAttempt::add_entry() {
  play_.tables_at_rest = false;
  std::uint64_t before = play_.old_state->descriptors.generation();
  int number = play_.old_process->install(describe(Entry{}));
  if (number >= 0) {
    os::Fd owned(play_.old_process->kernel(), number);
    Expected<void> saved = play_.old_state->descriptors.save({"added", kAddedId}, std::move(owned));
    if (saved && play_.old_state->descriptors.generation() == before) {
      play_.violate({"S2", "a table that changed has another generation", std::to_string(before) + " still"});
    }
    table_changed_ = table_changed_ || saved.has_value();
  }
  play_.tables_at_rest = true;
}

void TransferAttempt::drop_entry(const Event& event) {
  if (event.operand >= play_.scenario.entries.size()) return;
  const Entry& entry = play_.scenario.entries[event.operand];
  play_.tables_at_rest = false;
  Expected<void> removed = play_.old_state->descriptors.remove({text(entry.name), entry.id});
  table_changed_ = table_changed_ || removed.has_value();
  play_.tables_at_rest = true;
}

/// What it had begun stays as it is until the attempt is over. Nothing happens when its engine is at work right now.
void TransferAttempt::freeze(Who who) {
  Turn& mine = turn(who);
  if (mine.finished || mine.busy) return;
  mine.finished = true;
  mine.ending = "frozen";
}

void TransferAttempt::half_close() {
  const Turn& old_turn = turn(Who::old_side);
  if (old_turn.finished || old_turn.wait.fd < 0 || !play_.old_process->alive()) return;
  (void)play_.old_process->kernel().shutdown(old_turn.wait.fd, os::abi::shut_wr);
}

/// Both ends are put away, as their owners would before they look at what they have.
void TransferAttempt::settle() {
  if (source_ && source_->generation() != play_.old_state->descriptors.generation() && turn(Who::old_side).succeeded) {
    turn(Who::old_side).succeeded = false;
    turn(Who::old_side).ending = "refused: the table changed after it was recorded";
  }
  as(Who::old_side, [this] { source_.reset(); });
  as(Who::new_side, [this] { target_.reset(); });
  events_.finish();
}

/// An old process that dies right before its device records looks like a QEMU 10.0 or a stub, which have none.
bool TransferAttempt::may_be_cut_unseen() {
  return play_.scenario.accept != Accept::current && !turn(Who::old_side).succeeded &&
         play_.new_state->devices.size() == 0;
}

Ending TransferAttempt::judge(std::string& ending) {
  const Turn& old_turn = turn(Who::old_side);
  const Turn& new_turn = turn(Who::new_side);
  bool old_lives = play_.old_process->alive();
  bool taken = new_turn.succeeded && play_.new_process->alive() && (old_turn.succeeded || !old_lives);
  bool new_is_to_blame = !new_turn.succeeded && (new_turn.ending != "frozen" || old_turn.succeeded);
  ending = taken ? "done" : new_is_to_blame ? new_turn.ending : old_turn.ending;
  invariants::Attempt attempt;
  attempt.ended = stuck_.empty();
  attempt.stuck = stuck_;
  attempt.succeeded = taken;
  attempt.outcome = ending;
  if (!events_.disturbed()) attempt.wanted = play_.expected_ending(kWorkingDescriptors);
  play_.check_end(attempt);
  if (taken && !table_changed_ && !may_be_cut_unseen()) play_.check_saved_twice();
  if (taken) return Ending::taken_over;
  return old_lives ? Ending::old_goes_on : Ending::lost;
}

Ending TransferAttempt::run(std::string& ending) {
  drive();
  settle();
  return judge(ending);
}

}  // namespace

Ending attempt_transfer(Play& play, Events& events, std::uint8_t handover, std::string& ending) {
  return TransferAttempt(play, events, handover).run(ending);
}

}  // namespace vcpr::scenario
