#include "engine/lifecycle/participants.hpp"

#include <algorithm>
#include <cassert>

namespace vcpr::lifecycle {

namespace {

void keep_first(Expected<void>& first, Expected<void> answer) {
  if (first && !answer) first = std::move(answer);
}

}  // namespace

void Participants::add(Participant& participant, Rank rank, Modes modes) {
  assert(std::ranges::none_of(members_, [&](const auto& each) { return each.second.participant == &participant; }));
  members_.emplace(Place{rank, additions_++}, Member{.participant = &participant, .modes = modes});
}

void Participants::remove(Participant& participant) {
  std::erase_if(members_, [&](const auto& each) { return each.second.participant == &participant; });
}

Expected<void> Participants::let_go(Mode mode) {
  if (auto clear = check_none(Step::let_go); !clear) return clear;
  forget(Step::take_over);
  for (std::optional<Place> at; previous(at);) {
    Member& member = members_.at(*at);
    if (!member.modes.has(mode)) continue;
    member.step = Step::let_go;
    if (auto answer = named(*at, member.participant->let_go(mode)); !answer) return answer;
  }
  return {};
}

Expected<void> Participants::take_back() {
  Expected<void> first;
  for (std::optional<Place> at; next(at);) {
    Member& member = members_.at(*at);
    if (member.step != Step::let_go) continue;
    Expected<void> answer = named(*at, member.participant->take_back());
    if (auto still = members_.find(*at); answer && still != members_.end()) still->second.step = Step::none;
    keep_first(first, std::move(answer));
  }
  return first;
}

void Participants::done() {
  for (std::optional<Place> at; previous(at);) {
    Member& member = members_.at(*at);
    if (std::exchange(member.step, Step::none) == Step::let_go) member.participant->done();
  }
}

Expected<void> Participants::check_loaded(Mode mode) {
  for (std::optional<Place> at; next(at);) {
    Member& member = members_.at(*at);
    if (!member.modes.has(mode)) continue;
    if (auto answer = named(*at, member.participant->check_loaded()); !answer) return answer;
  }
  return {};
}

Expected<void> Participants::take_over(Mode mode) {
  if (auto clear = check_none(Step::take_over); !clear) return clear;
  for (std::optional<Place> at; next(at);) {
    Member& member = members_.at(*at);
    if (!member.modes.has(mode)) continue;
    member.step = Step::take_over;
    if (auto answer = named(*at, member.participant->take_over()); !answer) return answer;
  }
  return {};
}

void Participants::give_up() {
  for (std::optional<Place> at; previous(at);) {
    Member& member = members_.at(*at);
    if (member.step != Step::take_over) continue;
    member.step = Step::none;
    member.participant->give_up();
  }
}

Expected<void> Participants::check_none(Step step) const {
  auto found = std::ranges::find_if(members_, [step](const auto& each) { return each.second.step == step; });
  if (found == members_.end()) return {};
  return refuse(ErrorCode::bad_state, {found->second.participant->what(),
                                       step == Step::let_go ? ": has not taken back yet" : ": has taken over already"});
}

/// The first place, or the one after `place`.
bool Participants::next(std::optional<Place>& place) const {
  auto found = place ? members_.upper_bound(*place) : members_.begin();
  if (found == members_.end()) return false;
  place = found->first;
  return true;
}

bool Participants::previous(std::optional<Place>& place) const {
  auto found = place ? members_.lower_bound(*place) : members_.end();
  if (found == members_.begin()) return false;
  place = std::prev(found)->first;
  return true;
}

/// A participant that left during its own step cannot be asked for its name.
Expected<void> Participants::named(const Place& place, Expected<void> answer) const {
  auto member = members_.find(place);
  if (answer || member == members_.end()) return answer;
  answer.error().text = member->second.participant->what() + ": " + answer.error().text;
  return answer;
}

void Participants::forget(Step step) {
  for (auto& [place, member] : members_) {
    if (member.step == step) member.step = Step::none;
  }
}

}  // namespace vcpr::lifecycle
