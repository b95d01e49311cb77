// The table of invariants in properties/README.md is what the lists of functions say.
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "properties/whole_vm/invariants.hpp"
#include "properties/whole_vm/watch.hpp"
#include "source_dir.hpp"

namespace vcpr::whole_vm {
namespace {

constexpr int kNumbers = 47;

/// "I3_I4" as its numbers; W ones belong to the table of windows.
std::set<std::string> numbers_of(std::string_view text) {
  std::set<std::string> numbers;
  std::istringstream words{std::string(text)};
  for (std::string each; std::getline(words, each, '_');)
    if (each.front() != 'W') numbers.insert(each);
  return numbers;
}

struct Row {
  std::set<std::string> after_each_call;
  std::set<std::string> when_over;
  bool operator==(const Row&) const = default;
};
using Table = std::map<std::string, Row>;

Table table_of_functions() {
  Table table;
  for (const SafetyInvariant& each : safety_invariants())
    for (const std::string& number : numbers_of(each.numbers))
      table[number].after_each_call.insert(std::string(each.name));
  for (const Invariant& each : invariants())
    for (const std::string& number : numbers_of(each.numbers)) table[number].when_over.insert(std::string(each.name));
  for (const invariants::Invariant& each : invariants::invariants()) {
    Row& row = table[std::string(each.number)];
    (each.moment == invariants::Moment::every_call ? row.after_each_call : row.when_over)
        .insert(std::string(each.name));
  }
  return table;
}

std::set<std::string> names_in(const std::string& cell) {
  std::set<std::string> names;
  std::istringstream words(cell);
  for (std::string each; words >> each;) {
    std::erase(each, ',');
    names.insert(each);
  }
  return names;
}

/// Rows like "| I3 | a, b | c | ...".
Table table_of_the_page() {
  Table table;
  std::ifstream page(std::string(VCPR_SOURCE_DIR) + "/properties/README.md");
  for (std::string line; std::getline(page, line);) {
    std::istringstream cells(line);
    std::string before, number, call, over;
    for (std::string* each : {&before, &number, &call, &over}) std::getline(cells, *each, '|');
    std::erase(number, ' ');
    const bool is_number = number.size() > 1 && (number[0] == 'I' || number[0] == 'S') && std::isdigit(number[1]) != 0;
    if (is_number) table[number] = {names_in(call), names_in(over)};
  }
  return table;
}

std::string text(const std::set<std::string>& names) {
  std::string all;
  for (const std::string& each : names) all += each + ' ';
  return all;
}

TEST(Audit, TheTableOfInvariantsIsWhatTheListsOfFunctionsSay) {
  const Table functions = table_of_functions();
  Table page = table_of_the_page();
  for (const auto& [number, row] : functions) {
    EXPECT_EQ(text(page[number].after_each_call), text(row.after_each_call)) << number << ", after each call";
    EXPECT_EQ(text(page[number].when_over), text(row.when_over)) << number << ", when an attempt is over";
  }
  EXPECT_EQ(page.size(), functions.size());
}

TEST(Audit, EveryInvariantHasAFunction) {
  const Table functions = table_of_functions();
  for (int number = 1; number <= kNumbers; ++number)
    EXPECT_TRUE(functions.contains('I' + std::to_string(number))) << number;
}

}  // namespace
}  // namespace vcpr::whole_vm
