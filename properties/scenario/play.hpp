// The stage of a run: one machine, the two processes of the present attempt, what each holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/handover/cpr_state.hpp"
#include "properties/invariants/invariants.hpp"
#include "properties/machine/machine.hpp"
#include "properties/scenario/run.hpp"
#include "properties/scenario/scenario.hpp"

namespace vcpr::scenario {

/// What an attempt came to, and what it had to.
enum class Ending : std::uint8_t {
  taken_over,   ///< new holds everything and has claimed it
  old_goes_on,  ///< refused or failed; old is as it was
  lost,         ///< nobody is left who could go on
};

class Play {
 public:
  Play(const Scenario& scenario, const Line* line);
  ~Play();
  Play(const Play&) = delete;
  Play& operator=(const Play&) = delete;

  const Scenario& scenario;
  machine::Machine machine;
  machine::Process* old_process = nullptr;
  machine::Process* new_process = nullptr;
  std::optional<handover::CprState> old_state;
  std::optional<handover::CprState> new_state;
  std::vector<int> old_others;  ///< numbers beside the table, ascending
  std::vector<int> new_others;

  /// Fills old with what the scenario says; compares each answer of the store with the rule.
  void set_up();
  /// The state is about to be sent: invariants compare with what is recorded here.
  void record();
  /// New has the state: claims what the scenario says, compares each answer with the rule. The error is that of a new
  /// process that refuses to go on because something is left over.
  Expected<void> claim();
  /// What the scenario must end in when nothing interferes: an error's name, "done", or nothing if that is open.
  /// Whether entry `position` got into the table at the beginning; else its key may lead to another one's descriptor.
  bool was_saved(std::size_t position) const { return saved_[position]; }
  std::string expected_ending(std::uint32_t spare_descriptors) const;

  /// Between two calls: the cheap invariants. Not while the engine works on a table.
  void check_call();
  /// The attempt is over, both sides are as they will stay.
  void check_end(const invariants::Attempt& attempt);
  /// The state of old and that of new, each saved once more, are the same stream (I38).
  void check_saved_twice();
  /// Keeps the first.
  void violate(invariants::Violation violation);
  bool broken() const { return violation_.has_value(); }
  std::optional<invariants::Violation> take_violation() { return std::move(violation_); }

  /// The new process of an attempt that succeeded is the old one of the next.
  void succeed();
  /// The attempt is given up; what new had is closed with it.
  void drop_new();

  /// One line in fixed columns, when somebody listens.
  void tell(std::string_view who, std::string_view what);
  bool listened() const { return line_ != nullptr; }

  bool loaded = false;
  bool claimed = false;
  bool exec_under_way = false;
  bool tables_at_rest = true;  ///< false: the engine is in the middle of changing one

 private:
  invariants::World world() const;
  void save_entry(const Entry& entry, std::size_t position);
  void save_device(const Device& device);
  /// The rule of the table, stated a second time over the scenario: whether this entry is accepted.
  bool entry_fits(const Entry& entry) const;
  /// The entry that the table took under this one's key so far; an entry it refused holds nothing.
  const Entry* saved_under_key_of(const Entry& entry) const;
  /// What was asked of the store, in words that are made only when somebody reads them.
  using Words = std::function<std::string()>;
  void expect(bool wanted, const Expected<void>& answer, const Words& what);
  void claim_key(store::Key key, bool wanted);
  void claim_listed();
  bool is_recorded(const Entry& entry) const;
  bool some_kind_is_wrong() const;

  const Line* line_;
  std::vector<bool> saved_;  ///< per entry of the scenario
  std::vector<invariants::RecordedEntry> recorded_;
  std::uint32_t unchecked_calls_ = 0;
  std::vector<std::string> names_;  ///< text of each entry's name
  std::optional<invariants::Violation> violation_;
};

/// Numbers 0, 1, 2 as /dev/null, as a service manager starts a VMM.
void install_stdio(machine::Process& process);

}  // namespace vcpr::scenario
