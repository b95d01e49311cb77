// What shrinking an input tries next, and shrinking.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace vcpr::forms {

/// Keeps the neighbours of an input that are normal and lighter. The model's own normalise() and weight() say what that
/// is.
template <class Input>
class Candidates {
 public:
  explicit Candidates(const Input& input) : input_(input), weight_(weight(input)) {}
  /// Tries one change.
  template <class Change>
  void with(Change change) {
    Input changed = input_;
    change(changed);
    normalise(changed);
    if (weight(changed) < weight_) found_.push_back(std::move(changed));
  }
  std::vector<Input> take() { return std::move(found_); }

 private:
  const Input& input_;
  std::uint64_t weight_;
  std::vector<Input> found_;
};

/// The smallest of a chain of simpler ones that all fail, of at most `tries` tried. `fails(input)` holds.
template <class Input, class Fails>
Input shrink(Input input, std::uint32_t tries, Fails fails) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (Input& candidate : shrink_candidates(input)) {
      if (tries-- == 0) return input;
      if (!fails(std::as_const(candidate))) continue;
      input = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return input;
}

}  // namespace vcpr::forms
