#include "properties/table/operation.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace vcpr::table {

namespace {

using namespace std::string_view_literals;

constexpr std::array<std::string_view, kVerbs> kVerbNames = {
    "save", "share", "resave", "parameter", "find", "claim", "unclaim", "remove", "take", "inherit", "walk", "check"};
constexpr std::array<std::string_view, 3> kOfferNames = {"new", "held", "none"};

constexpr auto kLong = [] {
  std::array<char, store::kMaxNameBytes + 1> name{};
  name.fill('n');
  return name;
}();

constexpr std::array<Name, 8> kNames = {{
    {"ram0", "ram0"},
    {"vfio_container_for_group", "vfio_container_for_group"},
    {"vfio_group", "vfio_group"},
    {"0000:3a:00.1_interrupt", "0000:3a:00.1_interrupt"},
    {"(longest)", {kLong.data(), store::kMaxNameBytes}},
    {"(too-long)", {kLong.data(), store::kMaxNameBytes + 1}},
    {"(empty)", ""},
    {"(with-nul)", "a\0b"sv},
}};

/// Takes the next word of a line.
std::string_view word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::string_view first = line.substr(0, line.find(' '));
  line.remove_prefix(first.size());
  return first;
}

template <class Number>
bool read(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// Index of `text` among labels, or the size of the list.
template <class List, class Label>
std::size_t index_of(const List& list, std::string_view text, Label label) {
  return static_cast<std::size_t>(std::ranges::find(list, text, label) - std::begin(list));
}

bool read_key(std::string_view& line, std::uint8_t& name, std::int8_t& id) {
  name = static_cast<std::uint8_t>(index_of(kNames, word(line), &Name::label));
  return name < kNames.size() && read(word(line), id);
}

bool read_offer(std::string_view& line, Operation& operation) {
  std::size_t offer = index_of(kOfferNames, word(line), std::identity());
  operation.offer = static_cast<Offer>(offer);
  if (operation.offer == Offer::held) return read(word(line), operation.entry) && operation.entry < 64;
  return offer < kOfferNames.size();
}

std::string key_text(std::uint8_t name, std::int8_t id) {
  return ' ' + std::string(kNames[name].label) + ' ' + std::to_string(id);
}

}  // namespace

bool offers(Verb verb) {
  return verb == Verb::save || verb == Verb::resave || verb == Verb::parameter;
}
std::span<const Name> names() {
  return kNames;
}
store::Key Operation::key() const {
  return {kNames[name].name, id};
}
store::Key Operation::existing() const {
  return {kNames[existing_name].name, existing_id};
}

Operation decode(std::span<const std::uint8_t> bytes) {
  OperationBytes record{};
  std::ranges::copy(bytes.first(std::min(bytes.size(), record.size())), record.begin());
  Operation operation{.verb = static_cast<Verb>(record[0] % kVerbs)};
  if (operation.verb == Verb::walk) return operation;
  operation.name = record[1] % kNames.size();
  operation.id = static_cast<std::int8_t>(record[2]);
  if (operation.verb == Verb::share) {
    operation.existing_name = record[1] / 16 % kNames.size();
    operation.existing_id = static_cast<std::int8_t>(record[3]);
  }
  if (offers(operation.verb)) {
    operation.offer = static_cast<Offer>(record[3] % 4 % kOfferNames.size());
    if (operation.offer == Offer::held) operation.entry = record[3] / 4;
  }
  return operation;
}

OperationBytes encode(const Operation& operation) {
  auto fourth =
      offers(operation.verb) ? static_cast<int>(operation.offer) + operation.entry * 4 : operation.existing_id;
  return {static_cast<std::uint8_t>(operation.verb),
          static_cast<std::uint8_t>(operation.name + operation.existing_name * 16),
          static_cast<std::uint8_t>(operation.id), static_cast<std::uint8_t>(fourth)};
}

std::string print(const Operation& operation) {
  std::string line(kVerbNames[static_cast<std::size_t>(operation.verb)]);
  if (operation.verb == Verb::walk) return line;
  line += key_text(operation.name, operation.id);
  if (operation.verb == Verb::share) line += " with" + key_text(operation.existing_name, operation.existing_id);
  if (!offers(operation.verb)) return line;
  line += ' ' + std::string(kOfferNames[static_cast<std::size_t>(operation.offer)]);
  return operation.offer == Offer::held ? line + ' ' + std::to_string(operation.entry) : line;
}

std::expected<Operation, std::string> parse(std::string_view line) {
  std::string_view rest = line;
  std::size_t verb = index_of(kVerbNames, word(rest), std::identity());
  if (verb == kVerbNames.size()) return std::unexpected("no such operation");
  Operation operation{.verb = static_cast<Verb>(verb)};
  if (operation.verb != Verb::walk && !read_key(rest, operation.name, operation.id)) {
    return std::unexpected("a known name and an id from -128 to 127 are needed");
  }
  if (operation.verb == Verb::share &&
      (word(rest) != "with" || !read_key(rest, operation.existing_name, operation.existing_id))) {
    return std::unexpected("\"with\" and the key that is there are needed");
  }
  if (offers(operation.verb) && !read_offer(rest, operation)) {
    return std::unexpected("new, none, or held with a position up to 63 is needed");
  }
  if (!word(rest).empty()) return std::unexpected("more words than the operation has");
  return operation;
}

std::string print_all(std::span<const std::uint8_t> input) {
  std::string text;
  for (; !input.empty(); input = input.subspan(std::min<std::size_t>(input.size(), 4)))
    text += print(decode(input)) + '\n';
  return text;
}

std::expected<std::vector<std::uint8_t>, std::string> parse_all(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto operation = parse(line);
    if (!operation) return std::unexpected("line " + std::to_string(number) + ": " + operation.error());
    std::ranges::copy(encode(*operation), std::back_inserter(bytes));
  }
  return bytes;
}

}  // namespace vcpr::table
