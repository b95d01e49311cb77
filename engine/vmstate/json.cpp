#include "engine/vmstate/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace vcpr::vmstate {

namespace {

/// As many values as an ordinary description has.
constexpr std::size_t kUsualValues = 512;
constexpr std::size_t kUsualBytesOfAValue = 8;

/// What a string cannot simply go on with: its end, an escape, a control character.
constexpr auto kStops = [] {
  std::array<bool, 256> stops{};
  std::fill_n(stops.begin(), std::size_t{' '}, true);
  stops['"'] = stops['\\'] = true;
  return stops;
}();

bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

}  // namespace

/// Recursive descent, kMaxJsonDepth at most. Members answer false once `error_` is set.
class JsonParser {
 public:
  JsonParser(std::string_view text, Json& json) : text_(text), json_(json) {}

  bool document() {
    if (text_.size() > kMaxJsonBytes) {
      return fail(ErrorCode::too_long, "a description of this size");
    }
    json_.values_.reserve(std::min(text_.size() / kUsualBytesOfAValue, kUsualValues));
    if (!value({}, 0)) return false;
    skip_space();
    return at_ == text_.size() || fail(ErrorCode::bad_description, "text after the end of the JSON value");
  }

  std::unexpected<Error> error() { return std::unexpected(std::move(*error_)); }

 private:
  bool fail(ErrorCode code, std::string_view reason) {
    error_ = refuse_at(code, at_, {reason}).error();
    return false;
  }
  bool fail(std::string_view reason) { return fail(ErrorCode::bad_description, reason); }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(char character) {
    if (at_ >= text_.size() || text_[at_] != character) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool value(std::string_view key, std::uint32_t depth);
  bool scalar(JsonValue& value);
  bool number(JsonValue& value);
  bool digits();
  bool children(std::uint32_t parent, std::uint32_t depth, bool is_object);
  bool string(std::string_view& result);
  bool escaped(std::string& result);
  bool code_point(std::string& result);

  std::string_view text_;
  Json& json_;
  std::uint64_t at_ = 0;
  std::optional<Error> error_;
};

bool JsonParser::value(std::string_view key, std::uint32_t depth) {
  skip_space();
  if (depth > kMaxJsonDepth) return fail(ErrorCode::too_long, "nested too deeply");
  if (json_.values_.size() >= kMaxJsonValues) return fail(ErrorCode::too_long, "too many values");
  auto position = static_cast<std::uint32_t>(json_.values_.size());
  json_.values_.push_back({.offset = at_, .key = key});
  bool is_object = take('{');
  if (is_object || take('[')) {
    json_.values_[position].type = is_object ? JsonValue::Type::object : JsonValue::Type::array;
    return children(position, depth, is_object);
  }
  return scalar(json_.values_[position]);
}

bool JsonParser::scalar(JsonValue& value) {
  if (at_ < text_.size() && text_[at_] == '"') {
    value.type = JsonValue::Type::string;
    return string(value.string);
  }
  if (take("null")) return true;
  value.truth = take("true");
  if (value.truth || take("false")) {
    value.type = JsonValue::Type::boolean;
    return true;
  }
  return number(value);
}

bool JsonParser::digits() {
  std::uint64_t begin = at_;
  while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
  return at_ != begin || fail("neither a value nor a digit");
}

bool JsonParser::number(JsonValue& value) {
  std::uint64_t begin = at_;
  bool plain = !take('-');
  std::uint64_t first = at_;
  if (!digits()) return false;
  if (text_[first] == '0' && at_ - first > 1) return fail("a number that begins with 0");
  if (take('.')) {
    plain = false;
    if (!digits()) return false;
  }
  if (take('e') || take('E')) {
    plain = false;
    if (!take('+')) take('-');
    if (!digits()) return false;
  }
  auto [end, problem] = std::from_chars(text_.data() + begin, text_.data() + at_, value.number);
  value.type = plain && problem == std::errc() ? JsonValue::Type::integer : JsonValue::Type::other_number;
  return true;
}

bool JsonParser::children(std::uint32_t parent, std::uint32_t depth, bool is_object) {
  const char closing = is_object ? '}' : ']';
  skip_space();
  if (take(closing)) return true;
  for (std::uint32_t last = 0;;) {
    std::string_view key;
    skip_space();
    if (is_object) {
      if (!string(key)) return false;
      skip_space();
      if (!take(':')) return fail("':' is missing");
    }
    auto child = static_cast<std::uint32_t>(json_.values_.size());
    if (!value(key, depth + 1)) return false;
    (last == 0 ? json_.values_[parent].first : json_.values_[last].next) = child;
    last = child;
    skip_space();
    if (take(closing)) return true;
    if (!take(',')) return fail("',' is missing");
  }
}

bool JsonParser::string(std::string_view& result) {
  if (!take('"')) return fail("'\"' is missing");
  const std::uint64_t begin = at_;
  while (at_ < text_.size() && !kStops[static_cast<unsigned char>(text_[at_])]) ++at_;
  if (at_ == text_.size()) return fail("a string without an end");
  if (text_[at_] == '"') {
    result = text_.substr(begin, at_++ - begin);
    return true;
  }
  if (text_[at_] != '\\') return fail("a control character in a string");
  std::string& own = json_.unescaped_.emplace_back(text_.substr(begin, at_ - begin));
  if (!escaped(own)) return false;
  result = own;
  return true;
}

bool JsonParser::escaped(std::string& result) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  while (at_ < text_.size()) {
    char character = text_[at_];
    if (static_cast<unsigned char>(character) < ' ') return fail("a control character in a string");
    ++at_;
    if (character == '"') return true;
    if (character != '\\') {
      result += character;
    } else if (take('u')) {
      if (!code_point(result)) return false;
    } else {
      auto letter = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
      if (letter == std::string_view::npos) return fail("an escape that JSON does not have");
      result += kMeanings[letter];
      ++at_;
    }
  }
  return fail("a string without an end");
}

/// Appends the UTF-8 form of a \u escape; surrogates are encoded one by one, as they stand.
bool JsonParser::code_point(std::string& result) {
  std::uint32_t code = 0;
  const char* begin = text_.data() + at_;
  if (text_.size() - at_ < 4) return fail("\\u without four digits");
  auto [end, problem] = std::from_chars(begin, begin + 4, code, 16);
  if (problem != std::errc() || end != begin + 4) return fail("\\u without four digits");
  at_ += 4;
  auto byte = [&result](std::uint32_t bits) { result += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
  return true;
}

Expected<Json> Json::parse(std::string_view text) {
  Json json;
  JsonParser parser(text, json);
  if (!parser.document()) return parser.error();
  return json;
}

const JsonValue* Json::member(const JsonValue& object, std::string_view key) const {
  const JsonValue* found = nullptr;
  each(object, [&](const JsonValue& child) {
    if (child.key == key) found = &child;
    return found == nullptr;
  });
  return found;
}

}  // namespace vcpr::vmstate
