#include "properties/scenario/play.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "properties/scenario/objects.hpp"

namespace vcpr::scenario {

namespace {

constexpr std::uint32_t kOldDescriptorLimit = 1024;

// A check walks the table. In exec every entry costs a call, so a large table would cost its square.
constexpr std::size_t kEveryCallUpTo = 16;
constexpr std::uint32_t kLargeTableStride = 16;

std::vector<int> numbers(const machine::Process& process) {
  std::vector<int> numbers;
  for (const invariants::Descriptor& open : invariants::open_descriptors(process)) numbers.push_back(open.number);
  return numbers;
}

machine::Switches switches(const Scenario& scenario) {
  machine::Switches switches;
  switches.descriptor_limit = kOldDescriptorLimit;
  switches.socket_buffer_bytes = scenario.socket_buffer;
  return switches;
}

std::string answer_text(const Expected<void>& answer) {
  return answer ? "done" : answer.error().message();
}

}  // namespace

void install_stdio(machine::Process& process) {
  Entry null{.object = Object::null_device, .name = {}, .flags = kKeptOnExec};
  for (int i = 0; i < 3; ++i) (void)process.install(describe(null));
}

Play::Play(const Scenario& played, const Line* line) : scenario(played), machine(switches(played)), line_(line) {
  old_process = &machine.spawn();
  install_stdio(*old_process);
  old_others = numbers(*old_process);
  old_state.emplace();
}

Play::~Play() {
  // A dead image closes nothing: the tables go without a call each.
  if (new_process != nullptr) new_process->kill();
  old_process->kill();
}

void Play::set_up() {
  tables_at_rest = false;
  names_.reserve(scenario.entries.size());
  for (const Entry& entry : scenario.entries) {
    names_.push_back(text(entry.name));
    save_entry(entry, names_.size() - 1);
  }
  for (const Device& device : scenario.devices) save_device(device);
  tables_at_rest = true;
}

const Entry* Play::saved_under_key_of(const Entry& entry) const {
  for (std::size_t i = 0; i < saved_.size(); ++i) {
    const Entry& other = scenario.entries[i];
    if (saved_[i] && other.name == entry.name && other.id == entry.id) return &other;
  }
  return nullptr;
}

bool Play::entry_fits(const Entry& entry) const {
  bool named = entry.name.kind != NameKind::empty && entry.name.length <= store::kMaxNameBytes;
  if (!named || saved_under_key_of(entry) != nullptr) return false;
  if (entry.object != Object::same_as) return true;
  const Entry* existing = saved_under_key_of(scenario.entries[entry.value]);
  return existing != nullptr && name_may_share(entry.name.kind) && name_may_share(existing->name.kind);
}

void Play::save_entry(const Entry& entry, std::size_t position) {
  bool wanted = entry_fits(entry);
  Expected<void> answer;
  if (entry.object == Object::same_as) {
    const Entry& existing = scenario.entries[entry.value];
    answer = old_state->descriptors.share({names_[position], entry.id}, {names_[entry.value], existing.id});
  } else {
    int number = old_process->install(describe(entry));
    answer = old_state->descriptors.save({names_[position], entry.id}, os::Fd(old_process->kernel(), number));
  }
  expect(wanted, answer, [position] { return "save entry " + std::to_string(position); });
  saved_.push_back(answer.has_value());
}

void Play::save_device(const Device& device) {
  std::string device_name = text({NameKind::device, device.index, 0});
  bool wanted = record_fits(device) && !old_state->devices.find(device_name).has_value();
  Expected<void> answer = old_state->devices.add(device_name, {device.devid, device.ioas_id, device.hwpt_id});
  expect(wanted, answer, [&] { return "add device " + device_name; });
}

void Play::expect(bool wanted, const Expected<void>& answer, const Words& what) {
  if (!listened() && wanted == answer.has_value()) return;
  std::string words = what();
  if (listened()) tell("store", words + " = " + answer_text(answer));
  if (wanted != answer.has_value())
    violate({"S2", words + (wanted ? " is accepted" : " is refused"), answer_text(answer)});
}

void Play::record() {
  recorded_ = invariants::record(*old_process, *old_state);
  loaded = claimed = exec_under_way = false;
}

void Play::claim_key(store::Key key, bool wanted) {
  Expected<int> number = new_state->descriptors.claim(key);
  Expected<void> answer;
  if (!number) answer = std::unexpected(number.error());
  expect(wanted, answer, [key] { return "claim " + store::describe(key); });
}

void Play::claim_listed() {
  std::vector<std::uint16_t> before;
  for (std::uint16_t claim : scenario.claims) {
    store::Key key{names_[claim], scenario.entries[claim].id};
    auto same = [&](const invariants::RecordedEntry& saved) { return saved.name == key.name && saved.id == key.id; };
    auto again = [&](std::uint16_t other) { return names_[other] == key.name && scenario.entries[other].id == key.id; };
    claim_key(key, std::ranges::any_of(recorded_, same) && std::ranges::none_of(before, again));
    before.push_back(claim);
  }
}

Expected<void> Play::claim() {
  tables_at_rest = false;
  if (scenario.claiming == Claiming::listed) claim_listed();
  if (scenario.claiming == Claiming::all) {
    for (const invariants::RecordedEntry& saved : recorded_) claim_key({saved.name, saved.id}, true);
  }
  bool all = true;
  for (store::Entry entry : new_state->descriptors) all = all && entry.claimed;
  Expected<void> answer = new_state->descriptors.check_all_claimed();
  expect(all, answer, [] { return std::string("check that all is claimed"); });
  claimed = answer.has_value();
  tables_at_rest = true;
  return answer;
}

/// An earlier attempt may have dropped it.
bool Play::is_recorded(const Entry& entry) const {
  return std::ranges::any_of(recorded_, [&, name = text(entry.name)](const invariants::RecordedEntry& recorded) {
    return recorded.id == entry.id && recorded.name == name;
  });
}

bool Play::some_kind_is_wrong() const {
  for (std::size_t i = 0; i < scenario.entries.size(); ++i) {
    const Entry& entry = scenario.entries[i];
    if (!saved_[i] || !is_recorded(entry)) continue;
    const Entry* holder = &entry;
    while (holder->object == Object::same_as) holder = saved_under_key_of(scenario.entries[holder->value]);
    if (!kind_fits(holder->object, entry.name.kind)) return true;
  }
  return false;
}

std::string Play::expected_ending(std::uint32_t spare_descriptors) const {
  bool transfer = scenario.mode != Mode::exec;
  std::uint32_t needed = static_cast<std::uint32_t>(recorded_.size() + new_others.size());
  if (transfer && needed > scenario.descriptor_limit) return "lost_descriptor";
  if (transfer && needed + spare_descriptors > scenario.descriptor_limit) return {};
  for (std::uint16_t timeout : {scenario.connect_timeout, scenario.transfer_timeout, scenario.hang_up_timeout}) {
    if (timeout < 1000) return {};
  }
  if (some_kind_is_wrong()) return "wrong_kind";
  if (scenario.claiming == Claiming::all) return "done";
  return {};
}

invariants::World Play::world() const {
  invariants::World world;
  world.machine = &machine;
  world.encoding = scenario.mode == Mode::exec ? handover::Encoding::exec : handover::Encoding::transfer;
  world.recorded = recorded_;
  world.old_side = {old_process, old_state ? &*old_state : nullptr, old_others};
  world.new_side = {new_process, new_state ? &*new_state : nullptr, new_others};
  world.exec_under_way = exec_under_way;
  world.loaded = loaded;
  world.claimed = claimed;
  return world;
}

void Play::check_call() {
  if (broken() || !tables_at_rest) return;
  if (recorded_.size() > kEveryCallUpTo && ++unchecked_calls_ % kLargeTableStride != 0) return;
  if (invariants::Verdict verdict = invariants::check(world(), invariants::Moment::every_call)) violate(*verdict);
}

void Play::check_end(const invariants::Attempt& attempt) {
  if (broken()) return;
  invariants::World last = world();
  last.attempt = &attempt;
  if (invariants::Verdict verdict = invariants::check(last, invariants::Moment::end)) violate(*verdict);
}

void Play::check_saved_twice() {
  if (broken() || !old_state || !new_state) return;
  wire::Outbox first, second;
  handover::Encoding encoding = world().encoding;
  if (!handover::save_cpr_state(*old_state, encoding, first) ||
      !handover::save_cpr_state(*new_state, encoding, second)) {
    return violate({"I38", "a state that was sent can be saved", "it is refused"});
  }
  invariants::SavedTwice twice{encoding, first.bytes, second.bytes};
  invariants::World saved;
  saved.saved_twice = &twice;
  if (invariants::Verdict verdict = invariants::check(saved, invariants::Moment::end)) violate(*verdict);
}

void Play::violate(invariants::Violation violation) {
  if (listened()) tell("BROKEN", invariants::text(violation));
  if (!violation_) violation_ = std::move(violation);
}

void Play::succeed() {
  if (old_process != new_process) old_process->kill();
  old_process = new_process;
  old_state = std::move(new_state);
  old_others = std::exchange(new_others, {});
  new_process = nullptr;
  new_state.reset();
}

void Play::drop_new() {
  if (new_process != nullptr && new_process != old_process) new_process->kill();
  new_process = nullptr;
  new_state.reset();
  new_others.clear();
}

void Play::tell(std::string_view who, std::string_view what) {
  if (line_ == nullptr) return;
  char columns[64];
  std::uint64_t nanoseconds = machine.now();
  std::snprintf(columns, sizeof columns, "%8llu.%06llu ms  %-6.*s  ",
                static_cast<unsigned long long>(nanoseconds / 1'000'000),
                static_cast<unsigned long long>(nanoseconds % 1'000'000), static_cast<int>(who.size()), who.data());
  (*line_)(std::string(columns).append(what));
}

}  // namespace vcpr::scenario
