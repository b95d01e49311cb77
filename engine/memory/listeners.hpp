// Who listens, and how a piece of news is offered to everybody or to nobody.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "engine/os/error.hpp"

namespace vcpr::memory {

/// Borrowed listeners in order of addition. They may be added and removed at any time but while being told.
template <class Listener>
class Listeners {
 public:
  void add(Listener& listener) { listeners_.push_back(&listener); }
  /// Nothing when it does not listen.
  void remove(Listener& listener) { std::erase(listeners_, &listener); }

  /// Asks each in order. When one refuses, those that had agreed are told `undo`, last first; its error is the result.
  template <class Ask, class Undo>
  Expected<void> offer(Ask ask, Undo undo) const {
    for (std::size_t asked = 0; asked < listeners_.size(); ++asked) {
      Expected<void> answer = ask(*listeners_[asked]);
      if (answer) continue;
      while (asked > 0) undo(*listeners_[--asked]);
      return answer;
    }
    return {};
  }

  /// Tells each, last first, also after an error; the first error.
  template <class Tell>
  Expected<void> tell(Tell tell) const {
    Expected<void> first;
    for (std::size_t left = listeners_.size(); left > 0; --left) {
      Expected<void> answer = tell(*listeners_[left - 1]);
      if (first && !answer) first = std::move(answer);
    }
    return first;
  }

 private:
  std::vector<Listener*> listeners_;
};

}  // namespace vcpr::memory
