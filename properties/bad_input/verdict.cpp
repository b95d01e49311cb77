#include "properties/bad_input/verdict.hpp"

#include <algorithm>

#include "properties/invariants/invariants.hpp"

namespace vcpr::bad_input {

namespace {

/// Everything about bytes names one of the stream; everything says why.
bool says_where(const Error& error, std::uint64_t size) {
  bool about_bytes = error.code <= ErrorCode::duplicate_subsection;
  return !error.text.empty() && (error.offset ? *error.offset <= size : !about_bytes);
}

Judgement judge_error(const Error& error, std::uint64_t size) {
  if (error.code == ErrorCode::timed_out) return {Verdict::timed_out, error.message()};
  if (says_where(error, size)) return {Verdict::refused, error.message()};
  return {Verdict::silent, "an error that does not say where: " + error.message()};
}

/// What the new process needs, one claim after the other.
Expected<void> claim_all(const Original& original, handover::CprState& state) {
  for (const invariants::PlainEntry& entry : original.state.entries) {
    if (Expected<int> claimed = state.descriptors.claim({entry.name, entry.id}); !claimed) {
      return std::unexpected(claimed.error());
    }
  }
  for (const invariants::PlainDevice& device : original.state.devices) {
    if (auto ids = state.devices.find(device.name); !ids) return std::unexpected(ids.error());
  }
  if (state.devices.size() != original.state.devices.size()) return refuse(ErrorCode::unclaimed, {"a device record"});
  return state.descriptors.check_all_claimed();
}

bool same_descriptors(const Original& original, const machine::Process& process, const handover::CprState& state) {
  return std::ranges::all_of(original.descriptions, [&](const auto& entry) {
    const auto& [key, description] = entry;
    Expected<int> number = state.descriptors.find({key.first, key.second});
    auto open = number ? invariants::look(process, *number) : std::nullopt;
    return open && open->description == description;
  });
}

}  // namespace

Judgement judge(const Original& original, std::span<const std::byte> stream, handover::Encoding encoding,
                const machine::Process& process, Expected<handover::CprState>& result) {
  if (!result) return judge_error(result.error(), stream.size());
  invariants::DamagedLoad load{encoding, stream, &result, 0};
  invariants::World world;
  world.damaged = &load;
  if (auto violation = invariants::damage_is_refused_or_harmless(world)) {
    return {Verdict::silent, invariants::text(*violation)};
  }
  if (Expected<void> claimed = claim_all(original, *result); !claimed) {
    return {Verdict::refused, claimed.error().message()};
  }
  if (invariants::plain(*result) != original.state) return {Verdict::undetectable, "other iommufd ids in a record"};
  if (!same_descriptors(original, process, *result)) {
    return {Verdict::undetectable, "another descriptor of a kind the name allows"};
  }
  return {Verdict::equal, "equal"};
}

}  // namespace vcpr::bad_input
