#include "properties/table/model.hpp"

#include <algorithm>

namespace vcpr::table {

using store::Key;

std::string text(const Answer& answer) {
  return answer ? std::to_string(*answer) : std::string(name(answer.error()));
}

bool Model::holds(int number) const {
  return std::ranges::any_of(entries_, [&](const Held& held) { return held.number == number; });
}

int Model::number_at(std::size_t position) const {
  return entries_.empty() ? -1 : entries_[position % entries_.size()].number;
}

bool Model::equals(const store::DescriptorTable& table) const {
  auto held = entries_.begin();
  for (store::Entry entry : table) {
    if (held == entries_.end() || entry.key != held->key || entry.number != held->number ||
        entry.claimed != held->claimed) {
      return false;
    }
    ++held;
  }
  return held == entries_.end() && table.size() == entries_.size();
}

Model::Held* Model::find(Key key) {
  auto found = std::ranges::find(entries_, key, &Held::key);
  return found == entries_.end() ? nullptr : &*found;
}

Answer Model::save(Key key, int number) {
  if (key.name.empty()) return std::unexpected(ErrorCode::bad_text);
  if (key.name.size() > store::kMaxNameBytes) return std::unexpected(ErrorCode::bad_length);
  if (key.name.find('\0') != std::string_view::npos) return std::unexpected(ErrorCode::bad_text);
  if (number < 0) return std::unexpected(ErrorCode::bad_descriptor);
  if (find(key)) return std::unexpected(ErrorCode::duplicate_key);
  auto holder = std::ranges::find(entries_, number, &Held::number);
  if (holder != entries_.end() && !(store::may_share(key.name) && store::may_share(holder->key.name))) {
    return std::unexpected(ErrorCode::same_descriptor);
  }
  entries_.push_back({key, number, false});
  return 0;
}

Answer Model::claim(Held& held) {
  if (held.claimed) return std::unexpected(ErrorCode::key_in_use);
  held.claimed = true;
  return held.number;
}

Answer Model::take(Key key) {
  int number = find(key)->number;
  if (std::ranges::count(entries_, number, &Held::number) > 1) return std::unexpected(ErrorCode::same_descriptor);
  std::erase_if(entries_, [&](const Held& held) { return held.key == key; });
  return number;
}

Answer Model::check(Key optional) const {
  bool left = std::ranges::any_of(entries_, [&](const Held& held) { return !held.claimed && held.key != optional; });
  return left ? Answer(std::unexpected(ErrorCode::unclaimed)) : 0;
}

Answer Model::resave(Key key, int number) {
  const Held* held = find(key);
  if (!held) return save(key, number);
  return held->number == number ? Answer(0) : std::unexpected(ErrorCode::different_descriptor);
}

Answer Model::use(Verb verb, Key key) {
  Held* held = find(key);
  if (!held) return std::unexpected(ErrorCode::missing_key);
  if (verb == Verb::claim || verb == Verb::inherit) return claim(*held);
  if (verb == Verb::take) return take(key);
  if (verb == Verb::find) return held->number;
  if (verb == Verb::unclaim) held->claimed = false;
  if (verb == Verb::remove) std::erase_if(entries_, [&](const Held& other) { return other.key == key; });
  return 0;
}

Answer Model::apply(const Operation& operation, int offered) {
  const Key key = operation.key();
  switch (operation.verb) {
    case Verb::save:
      return save(key, offered);
    case Verb::share: {
      const Held* existing = find(operation.existing());
      return existing ? save(key, existing->number) : std::unexpected(ErrorCode::missing_key);
    }
    case Verb::resave:
      return resave(key, offered);
    case Verb::parameter: {
      Answer saved = save(key, offered);
      return saved ? Answer(offered) : saved;
    }
    case Verb::walk:
      return 0;
    case Verb::check:
      return check(key);
    default:
      return use(operation.verb, key);
  }
}

namespace {

Answer answer(const Expected<int>& result) {
  return result ? Answer(*result) : std::unexpected(result.error().code);
}
Answer answer(const Expected<void>& result) {
  return result ? Answer(0) : std::unexpected(result.error().code);
}

Answer take(store::DescriptorTable& table, Key key) {
  Expected<os::Fd> taken = table.take(key);
  return taken ? Answer(taken->number()) : std::unexpected(taken.error().code);
}

/// A bare number stays the caller's when it is refused: close it, unless an entry holds it.
Answer keep_or_close(Answer answered, const store::DescriptorTable& table, os::Kernel& kernel, int offered) {
  if (!answered && offered >= 0 && !table.find_number(offered)) (void)kernel.close(offered);
  return answered;
}

}  // namespace

Answer apply(store::DescriptorTable& table, os::Kernel& kernel, const Operation& operation, int offered) {
  const Key key = operation.key();
  switch (operation.verb) {
    case Verb::save:
      return answer(table.save(key, os::Fd(kernel, offered)));
    case Verb::share:
      return answer(table.share(key, operation.existing()));
    case Verb::resave:
      return keep_or_close(answer(table.resave(key, kernel, offered)), table, kernel, offered);
    case Verb::parameter:
      return keep_or_close(answer(table.get_parameter(key, kernel, offered, false)), table, kernel, offered);
    case Verb::find:
      return answer(table.find(key));
    case Verb::claim:
      return answer(table.claim(key));
    case Verb::unclaim:
      return answer(table.unclaim(key));
    case Verb::remove:
      return answer(table.remove(key));
    case Verb::take:
      return take(table, key);
    case Verb::inherit:
      return answer(table.get_parameter(key, kernel, -1, true));
    case Verb::walk:
      return 0;
    case Verb::check:
      return answer(table.check_all_claimed(std::array{key}));
  }
  return 0;
}

}  // namespace vcpr::table
