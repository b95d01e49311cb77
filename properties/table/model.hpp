// What a descriptor table must answer: a list, searched from the front.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "engine/os/error.hpp"
#include "engine/store/descriptor_table.hpp"
#include "properties/table/operation.hpp"

namespace vcpr::table {

/// The number that an operation answers with (0 where it has none), or its refusal.
using Answer = std::expected<int, ErrorCode>;
/// "7", "duplicate_key".
std::string text(const Answer& answer);

class Model {
 public:
  /// `offered`: the descriptor that the operation brings along.
  Answer apply(const Operation& operation, int offered);
  /// Some entry holds this number, so it must be open; any other must be closed.
  bool holds(int number) const;
  /// The number of an entry by position modulo the size; -1 in an empty table.
  int number_at(std::size_t position) const;
  /// Entries in order, by key, number and claim.
  bool equals(const store::DescriptorTable& table) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Held {
    store::Key key;  // its name is one of names()
    int number;
    bool claimed;
  };

  Held* find(store::Key key);
  Answer save(store::Key key, int number);
  Answer resave(store::Key key, int number);
  Answer use(Verb verb, store::Key key);
  Answer claim(Held& held);
  Answer take(store::Key key);
  Answer check(store::Key optional) const;

  std::vector<Held> entries_;
};

/// The same operation on the real table; what `take` hands out, and what is refused, is closed here.
Answer apply(store::DescriptorTable& table, os::Kernel& kernel, const Operation& operation, int offered);

}  // namespace vcpr::table
