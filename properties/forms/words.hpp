// Lines of words: how a text form is written and read.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vcpr::forms {

/// One line made of words with a space between them; ends when it goes out of scope.
class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}
  ~Line() { out_ += '\n'; }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Line& word(std::string_view word) {
    if (!first_) out_ += ' ';
    first_ = false;
    out_ += word;
    return *this;
  }
  Line& number(std::int64_t number) { return word(std::to_string(number)); }
  Line& pair(std::string_view key, std::int64_t value) { return word(key).number(value); }

 private:
  std::string& out_;
  bool first_ = true;
};

/// The words of one line, taken from left to right; `#` begins a comment. The first problem is kept, everything after
/// it does nothing.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line.substr(0, line.find('#'))) { skip_space(); }

  bool at_end() const { return rest_.empty(); }
  bool failed() const { return !reason_.empty(); }
  const std::string& reason() const { return reason_; }
  void fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
  }
  void fail_expecting(std::string_view what, std::string_view found) {
    fail("expected " + std::string(what) + ", found '" + std::string(found) + "'");
  }

  std::string_view word() {
    std::string_view word = rest_.substr(0, rest_.find_first_of(kSpace));
    rest_.remove_prefix(word.size());
    skip_space();
    return word;
  }
  /// Whether the next word is this one, which then is taken.
  bool take(std::string_view wanted) {
    if (rest_.substr(0, rest_.find_first_of(kSpace)) != wanted) return false;
    word();
    return true;
  }
  void expect(std::string_view wanted) {
    if (!take(wanted)) fail("expected '" + std::string(wanted) + "' at '" + std::string(rest_) + "'");
  }
  template <class Number>
  void number(Number& value, std::int64_t low, std::int64_t high) {
    std::string_view digits = word();
    std::int64_t parsed = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
    bool whole = error == std::errc() && end == digits.data() + digits.size();
    if (!whole || parsed < low || parsed > high) {
      return fail_expecting("a number from " + std::to_string(low) + " to " + std::to_string(high), digits);
    }
    value = static_cast<Number>(parsed);
  }
  /// The first `count` values, each called what `name_of` says.
  template <class Enum, class NameOf>
  void choice(Enum& value, std::uint8_t count, NameOf name_of, std::string_view what) {
    std::string_view found = word();
    std::string known;
    for (std::uint8_t i = 0; i < count; ++i) {
      value = static_cast<Enum>(i);
      if (name_of(value) == found) return;
      known += (i == 0 ? "" : " ") + std::string(name_of(value));
    }
    fail_expecting(std::string(what) + " (" + known + ")", found);
  }
  /// What stands between quotes, which is taken with them; none: nothing is.
  std::optional<std::string_view> quoted() {
    if (rest_.empty() || rest_.front() != '"') return std::nullopt;
    std::size_t end = rest_.find('"', 1);
    if (end == rest_.npos) return std::nullopt;
    std::string_view inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    skip_space();
    return inside;
  }

 private:
  static constexpr std::string_view kSpace = " \t\r";
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size())); }

  std::string_view rest_;
  std::string reason_;
};

}  // namespace vcpr::forms
