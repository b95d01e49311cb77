#include "properties/invariants/invariants.hpp"

#include <algorithm>
#include <utility>

#include "engine/os/abi.hpp"
#include "properties/invariants/plain_state.hpp"

namespace vcpr::invariants {

namespace {

std::string key_text(std::string_view name, std::int32_t id) {
  return store::describe({name, id});
}

std::string description_text(std::uint32_t description) {
  return description == 0 ? "nothing open" : "description " + std::to_string(description);
}

Violation violation(std::string_view invariant, std::string wanted, std::string found) {
  return {invariant, std::move(wanted), std::move(found)};
}

bool alive(const Side& side) {
  return side.process != nullptr && side.process->alive();
}
bool has_state(const Side& side) {
  return alive(side) && side.state != nullptr;
}

/// 0 when the number is not open.
std::uint32_t description_of(const Side& side, int number) {
  std::optional<Descriptor> descriptor = look(*side.process, number);
  return descriptor ? descriptor->description : 0;
}

/// Who holds each open number of a side: numbers of its table, sorted, one per entry.
std::vector<int> table_numbers(const Side& side) {
  std::vector<int> numbers;
  if (side.state == nullptr) return numbers;
  for (store::Entry entry : side.state->descriptors) numbers.push_back(entry.number);
  std::ranges::sort(numbers);
  return numbers;
}

Verdict check_open_entries(std::string_view who, const Side& side) {
  if (!has_state(side)) return std::nullopt;
  for (store::Entry entry : side.state->descriptors) {
    if (description_of(side, entry.number) != 0) continue;
    return violation("I5",
                     key_text(entry.key.name, entry.key.id) + " of " + std::string(who) + " has number " +
                         std::to_string(entry.number),
                     "that number is not open");
  }
  return std::nullopt;
}

Verdict check_unique_keys(std::string_view who, const Side& side) {
  if (!has_state(side)) return std::nullopt;
  std::vector<std::pair<std::string_view, std::int32_t>> keys;
  for (store::Entry entry : side.state->descriptors) keys.emplace_back(entry.key.name, entry.key.id);
  std::ranges::sort(keys);
  auto twice = std::ranges::adjacent_find(keys);
  if (twice == keys.end()) return std::nullopt;
  return violation("I5", "one entry of " + std::string(who) + " per key",
                   "two under " + key_text(twice->first, twice->second));
}

/// An open descriptor that is neither the table's nor one of the others.
std::optional<Descriptor> find_stray(const Side& side, const std::vector<int>& owned) {
  for (const Descriptor& open : open_descriptors(*side.process)) {
    if (std::ranges::binary_search(owned, open.number)) continue;
    if (!std::ranges::binary_search(side.others, open.number)) return open;
  }
  return std::nullopt;
}

/// Exec hands over by number, and the entries that share one are those that may.
Verdict check_single_owner(const Side& side, const std::vector<int>& numbers) {
  for (store::Entry entry : side.state->descriptors) {
    if (std::ranges::equal_range(numbers, entry.number).size() == 1 || store::may_share(entry.key.name)) continue;
    return violation("I3",
                     key_text(entry.key.name, entry.key.id) + " owns number " + std::to_string(entry.number) + " alone",
                     "another entry has it too");
  }
  return std::nullopt;
}

Verdict check_close_on_exec_of_old(const World& world) {
  if (!has_state(world.old_side)) return std::nullopt;
  for (const RecordedEntry& saved : world.recorded) {
    std::optional<Descriptor> now = look(*world.old_side.process, saved.descriptor.number);
    if (!now || now->description != saved.descriptor.description) continue;
    if (now->close_on_exec == saved.descriptor.close_on_exec) continue;
    return violation("I6",
                     key_text(saved.name, saved.id) + " of old had close-on-exec " +
                         (saved.descriptor.close_on_exec ? "set" : "clear"),
                     "it changed outside an exec attempt");
  }
  return std::nullopt;
}

Verdict check_same_description_state(const RecordedEntry& saved, const Side& side) {
  if (!has_state(side)) return std::nullopt;
  Expected<int> number = side.state->descriptors.find({saved.name, saved.id});
  std::optional<Descriptor> now = number ? look(*side.process, *number) : std::nullopt;
  if (!now || now->description != saved.descriptor.description) return std::nullopt;
  if ((now->status_flags ^ saved.descriptor.status_flags) & os::abi::o_nonblock) {
    return violation(
        "I7", key_text(saved.name, saved.id) + " had status flags " + std::to_string(saved.descriptor.status_flags),
        std::to_string(now->status_flags));
  }
  if (now->offset == saved.descriptor.offset) return std::nullopt;
  return violation("I7", key_text(saved.name, saved.id) + " was at offset " + std::to_string(saved.descriptor.offset),
                   std::to_string(now->offset));
}

}  // namespace

Verdict every_saved_entry_arrives(const World& world) {
  if (!world.loaded || !has_state(world.new_side)) return std::nullopt;
  for (const RecordedEntry& saved : world.recorded) {
    auto key = [&saved] { return key_text(saved.name, saved.id); };
    Expected<int> number = world.new_side.state->descriptors.find({saved.name, saved.id});
    if (!number) return violation("I1", "old saved " + key(), "new does not have it");
    std::uint32_t there = description_of(world.new_side, *number);
    if (there != saved.descriptor.description) {
      return violation("I1", key() + " is " + description_text(saved.descriptor.description) + " in old",
                       description_text(there) + " in new");
    }
    if (world.encoding == handover::Encoding::exec && *number != saved.descriptor.number) {
      return violation("I1", key() + " has number " + std::to_string(saved.descriptor.number) + " before execve",
                       std::to_string(*number) + " after it");
    }
  }
  if (world.new_side.state->descriptors.size() == world.recorded.size()) return std::nullopt;
  return violation("I1", "old saved " + std::to_string(world.recorded.size()) + " entries",
                   "new has " + std::to_string(world.new_side.state->descriptors.size()));
}

Verdict every_received_descriptor_has_one_owner(const World& world) {
  if (!alive(world.new_side)) return std::nullopt;
  std::vector<int> owned = table_numbers(world.new_side);
  if (std::optional<Descriptor> stray = find_stray(world.new_side, owned)) {
    return violation("I3", "no entry of new owns number " + std::to_string(stray->number),
                     "it is open, " + description_text(stray->description));
  }
  if (std::uint64_t failed = failed_closes(*world.machine, *world.new_side.process); failed != 0) {
    return violation("I3", "new closes what is open, once", std::to_string(failed) + " close calls met EBADF");
  }
  return world.new_side.state != nullptr ? check_single_owner(world.new_side, owned) : std::nullopt;
}

Verdict old_closes_nothing_for_the_handover(const World& world) {
  if (!has_state(world.old_side)) return std::nullopt;
  for (const RecordedEntry& saved : world.recorded) {
    if (!world.old_side.state->descriptors.contains({saved.name, saved.id})) continue;
    std::uint32_t now = description_of(world.old_side, saved.descriptor.number);
    if (now == saved.descriptor.description) continue;
    return violation("I4",
                     key_text(saved.name, saved.id) + " was " + description_text(saved.descriptor.description) +
                         " under number " + std::to_string(saved.descriptor.number) + " of old",
                     description_text(now) + " is there now");
  }
  if (std::uint64_t failed = failed_closes(*world.machine, *world.old_side.process); failed != 0) {
    return violation("I4", "old closes what is open, once", std::to_string(failed) + " close calls met EBADF");
  }
  return std::nullopt;
}

Verdict keys_are_unique_and_descriptors_open(const World& world) {
  if (Verdict verdict = check_open_entries("old", world.old_side)) return verdict;
  if (Verdict verdict = check_open_entries("new", world.new_side)) return verdict;
  if (Verdict verdict = check_unique_keys("old", world.old_side)) return verdict;
  return check_unique_keys("new", world.new_side);
}

Verdict received_descriptors_close_on_exec(const World& world) {
  if (!world.exec_under_way) {
    if (Verdict verdict = check_close_on_exec_of_old(world)) return verdict;
  }
  if (!world.loaded || !has_state(world.new_side)) return std::nullopt;
  for (store::Entry entry : world.new_side.state->descriptors) {
    std::optional<Descriptor> now = look(*world.new_side.process, entry.number);
    if (!now || now->close_on_exec) continue;
    return violation("I6", "new accepted " + key_text(entry.key.name, entry.key.id), "it is not close-on-exec");
  }
  return std::nullopt;
}

Verdict status_flags_and_offsets_stay(const World& world) {
  for (const RecordedEntry& saved : world.recorded) {
    for (const Side* side : {&world.old_side, &world.new_side}) {
      if (Verdict verdict = check_same_description_state(saved, *side)) return verdict;
    }
  }
  return std::nullopt;
}

Verdict nothing_stays_unclaimed(const World& world) {
  if (!world.claimed || !has_state(world.new_side)) return std::nullopt;
  for (store::Entry entry : world.new_side.state->descriptors) {
    if (entry.claimed || std::ranges::find(world.optional_keys, entry.key) != world.optional_keys.end()) continue;
    return violation("I9", "new found nothing left over", key_text(entry.key.name, entry.key.id) + " is unclaimed");
  }
  return std::nullopt;
}

Verdict saving_what_was_loaded_gives_the_same_stream(const World& world) {
  if (world.saved_twice == nullptr) return std::nullopt;
  const SavedTwice& saved = *world.saved_twice;
  std::optional<PlainState> first = read_plainly(saved.first, saved.encoding);
  std::optional<PlainState> second = read_plainly(saved.second, saved.encoding);
  if (first && second && *first == *second && saved.first.size() == saved.second.size()) return std::nullopt;
  auto shown = [](const std::optional<PlainState>& state) { return state ? text(*state) : "no CPR state"; };
  return violation("I38", "saved " + shown(first) + " in " + std::to_string(saved.first.size()) + " bytes",
                   "saved again " + shown(second) + " in " + std::to_string(saved.second.size()) + " bytes");
}

Verdict damage_is_refused_or_harmless(const World& world) {
  if (world.damaged == nullptr) return std::nullopt;
  const DamagedLoad& load = *world.damaged;
  std::uint64_t allowed = kLoadBytesAtLeast + kLoadBytesPerStreamByte * load.stream.size();
  if (load.peak_bytes > allowed) {
    return violation(
        "I39", "at most " + std::to_string(allowed) + " bytes for a stream of " + std::to_string(load.stream.size()),
        std::to_string(load.peak_bytes) + " were allocated");
  }
  if (!load.result->has_value()) {
    if (!load.result->error().text.empty()) return std::nullopt;
    return violation("I39", "a refusal says why", load.result->error().message());
  }
  std::optional<PlainState> there = read_plainly(load.stream, load.encoding);
  PlainState loaded = plain(**load.result);
  if (there && *there == loaded) return std::nullopt;
  return violation("I39", there ? "the stream holds " + text(*there) : "no writer sends this stream",
                   "loaded " + text(loaded));
}

Verdict old_keeps_nothing_of_the_handover(const World& world) {
  if (!has_state(world.old_side)) return std::nullopt;
  std::optional<Descriptor> stray = find_stray(world.old_side, table_numbers(world.old_side));
  if (!stray) return std::nullopt;
  return violation("S3", "after the attempt old has its table and what it had beside it",
                   "number " + std::to_string(stray->number) + " is open too, " + description_text(stray->description));
}

Verdict every_attempt_ends(const World& world) {
  if (world.attempt == nullptr || world.attempt->ended) return std::nullopt;
  return violation("S1", "the attempt ends within its limits", world.attempt->stuck);
}

Verdict outcomes_have_reasons(const World& world) {
  if (world.attempt == nullptr || !world.attempt->ended) return std::nullopt;
  const Attempt& attempt = *world.attempt;
  if (attempt.must_succeed && !attempt.succeeded) {
    return violation("S2", "nothing is wrong with the scenario", attempt.outcome);
  }
  if (attempt.wanted.empty() || attempt.outcome.starts_with(attempt.wanted)) return std::nullopt;
  return violation("S2", "the scenario meets " + attempt.wanted, attempt.outcome);
}

}  // namespace vcpr::invariants
