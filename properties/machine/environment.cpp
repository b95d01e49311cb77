#include "properties/machine/environment.hpp"

#include <algorithm>

#include "properties/machine/state.hpp"

namespace vcpr::machine {

using os::Errno;

const Variable* Environment::find(std::string_view name) const {
  for (const Variable* variable = first_; variable != nullptr; variable = variable->next)
    if (variable->name == name) return variable;
  return nullptr;
}

void Environment::set(Arena& arena, std::string_view name, std::string_view value) {
  for (Variable* variable = first_; variable != nullptr; variable = variable->next) {
    if (variable->name != name) continue;
    const std::string_view old = variable->value;
    variable->value = keep_text(arena, value);  // before the old one goes: `value` may be a view of it
    return forget_text(arena, old);
  }
  Variable** last = &first_;
  while (*last != nullptr) last = &(*last)->next;
  *last = arena.make<Variable>(keep_text(arena, name), keep_text(arena, value));
}

void Environment::unset(Arena& arena, std::string_view name) {
  for (Variable** link = &first_; *link != nullptr; link = &(*link)->next) {
    if ((*link)->name != name) continue;
    Variable* variable = *link;
    *link = variable->next;
    forget_text(arena, variable->name);
    forget_text(arena, variable->value);
    return arena.destroy(variable);
  }
}

void Environment::copy_from(Arena& arena, const Environment& other) {
  for (const Variable* variable = other.first_; variable != nullptr; variable = variable->next)
    set(arena, variable->name, variable->value);
}

void Environment::clear(Arena& arena) {
  while (first_ != nullptr) unset(arena, first_->name);
}

namespace {

bool is_name(std::string_view name) {
  return !name.empty() && name.find('=') == name.npos;
}

}  // namespace

os::Result<void> do_setenv(Context& context, std::string_view name, std::string_view value) {
  if (!is_name(name)) return std::unexpected(Errno::einval);
  Arena& arena = context.machine.arena;
  if (context.fires(FaultPoint::setenv_enomem) || !arena.has_room_for(name.size() + value.size()))
    return std::unexpected(Errno::enomem);
  context.process.environment.set(arena, name, value);
  return {};
}

os::Result<void> do_unsetenv(Context& context, std::string_view name) {
  if (!is_name(name)) return std::unexpected(Errno::einval);
  context.process.environment.unset(context.machine.arena, name);
  return {};
}

}  // namespace vcpr::machine
