// Prints, after everything else, what became of all cases: the table to compare with that of a real QEMU.
#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>

#include "properties/bad_input/verdict.hpp"

namespace vcpr::bad_input {

namespace {

struct Table {
  std::array<std::array<std::uint64_t, kVerdicts>, 3> cases{};
  std::map<std::string, std::uint64_t> accepted;  ///< why, or after which damage
};

Table& table() {
  static Table table;
  return table;
}

/// "CAPTURE, late at entry 3" without the capture and with N for every number.
std::string damage_of(std::string_view what) {
  what.remove_prefix(std::min(what.find(", ") + 2, what.size()));
  std::string damage;
  for (char letter : what) {
    bool digit = letter >= '0' && letter <= '9';
    if (!digit) damage += letter;
    if (digit && !damage.ends_with('N')) damage += 'N';
  }
  return damage;
}

class Printer final : public ::testing::Environment {
  void TearDown() override {
    constexpr std::array<const char*, kVerdicts> kRows{"clean error", "timed out at the deadline", "accepted, equal",
                                                       "accepted, undetectable", "silent acceptances"};
    std::printf("\n%-28s %14s %14s %14s\n", "bad input", "cpr-transfer", "cpr-exec", "main stream");
    for (std::size_t row = 0; row < kVerdicts; ++row) {
      std::printf("%-28s", kRows[row]);
      for (const auto& column : table().cases) std::printf(" %14llu", static_cast<unsigned long long>(column[row]));
      std::printf("\n");
    }
    std::printf("crashes 0, hangs 0, or this table would not be here\n");
    for (const auto& [reason, count] : table().accepted) {
      std::printf("%s: %llu\n", reason.c_str(), static_cast<unsigned long long>(count));
    }
  }
};
const ::testing::Environment* const printer = ::testing::AddGlobalTestEnvironment(new Printer);

}  // namespace

void count(streams::StreamKind kind, const Judgement& judgement, const std::string& what) {
  ++table().cases[static_cast<std::size_t>(kind)][static_cast<std::size_t>(judgement.verdict)];
  if (judgement.verdict == Verdict::undetectable) ++table().accepted["undetectable: " + judgement.reason];
  if (judgement.verdict == Verdict::equal) ++table().accepted["equal: " + damage_of(what)];
  if (judgement.verdict == Verdict::silent) fail(what, judgement.reason);
}

void fail(const std::string& what, const std::string& why) {
  ADD_FAILURE() << what << ": " << why;
}

}  // namespace vcpr::bad_input
