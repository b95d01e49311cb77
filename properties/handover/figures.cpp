#include "properties/handover/figures.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace vcpr::live {

namespace {

constexpr std::array<const char*, kSpans> kTitles{"whole",  "downtime", "table", "build",     "stop",
                                                  "let go", "exec",     "state", "take over", "run"};

using Marks = std::map<std::string, long>;

/// The time of each step's first mark, and of the first and last of all.
Marks parse(const std::string& line) {
  Marks marks;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find('@');
    if (at == std::string::npos) continue;
    const long time = std::stol(word.substr(at + 1));
    marks.try_emplace(word.substr(0, at), time);
    marks.try_emplace("first", time);
    marks["last"] = time;
  }
  return marks;
}

long between(const Marks& from, const char* begin, const Marks& to, const char* end) {
  const auto first = from.find(begin);
  const auto last = to.find(end);
  return first == from.end() || last == to.end() ? kNoTime : last->second - first->second;
}

}  // namespace

Times measure(const std::string& old_line, const std::string& new_line, long downtime) {
  const Marks old = parse(old_line);
  const Marks young = parse(new_line);
  const bool by_exec = !young.contains("listening");
  return {between(old, "first", young, "last"),
          downtime,
          by_exec ? kNoTime : between(old, "first", young, "building"),
          between(young, "building", young, by_exec ? "receiving_state" : "listening"),
          between(old, "pausing", old, "paused"),
          between(old, "letting_go", old, "let_go"),
          by_exec ? between(old, "let_go", young, "first") : kNoTime,
          by_exec ? between(young, "receiving_state", young, "checking") : between(old, "let_go", young, "checking"),
          between(young, "checking", young, "taken_over"),
          between(young, "taken_over", young, "last")};
}

std::string Figures::table() const {
  if (times_.empty()) return {};
  std::array<char, 64> cell{};
  std::string text = "  handovers, median ms                          n";
  for (const char* title : kTitles) {
    std::snprintf(cell.data(), cell.size(), " %9s", title);
    text += cell.data();
  }
  text += "\n";
  for (const auto& [name, all] : times_) {
    std::snprintf(cell.data(), cell.size(), "  %-42s %4zu", name.c_str(), all.size());
    text += cell.data();
    for (std::size_t span = 0; span < kSpans; ++span) {
      std::vector<long> sorted;
      for (const Times& each : all)
        if (each[span] != kNoTime) sorted.push_back(each[span]);
      std::ranges::sort(sorted);
      if (sorted.empty())
        std::snprintf(cell.data(), cell.size(), " %9s", "-");
      else
        std::snprintf(cell.data(), cell.size(), " %9.2f", static_cast<double>(sorted[sorted.size() / 2]) / 1000);
      text += cell.data();
    }
    text += "\n";
  }
  return text;
}

}  // namespace vcpr::live
