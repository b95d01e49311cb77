// A process's environment: few variables, in the order they were made.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/arena.hpp"

namespace vcpr::machine {

struct Variable {
  std::string_view name;
  std::string_view value;
  Variable* next = nullptr;
};

class Environment {
 public:
  const Variable* first() const { return first_; }
  const Variable* find(std::string_view name) const;
  void set(Arena& arena, std::string_view name, std::string_view value);
  void unset(Arena& arena, std::string_view name);
  void copy_from(Arena& arena, const Environment& other);
  void clear(Arena& arena);

 private:
  Variable* first_ = nullptr;
};

struct Context;
os::Result<void> do_setenv(Context& context, std::string_view name, std::string_view value);
os::Result<void> do_unsetenv(Context& context, std::string_view name);

}  // namespace vcpr::machine
