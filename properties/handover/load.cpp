#include "properties/handover/load.hpp"

#include <algorithm>
#include <unistd.h>

namespace vcpr::live {

namespace {

constexpr std::chrono::seconds kLost{30};           // an interrupt that takes longer never comes
constexpr std::chrono::milliseconds kSettling{30};  // in which a spurious one would come
constexpr std::uint32_t kCopyBytes = 4096;
constexpr std::uint32_t kFrom = 0x200000;  // guest physical, and so what the device sees
constexpr std::uint32_t kTo = 0x300000;

std::uint8_t pattern(std::uint32_t copy, std::uint32_t at) {
  return static_cast<std::uint8_t>(copy * 31 + at * 7 + (at >> 8));
}

}  // namespace

Load::Load(GuestRam& ram, const std::vector<Source>& sources, Rhythm rhythm) : ram_(ram), rhythm_(rhythm) {
  for (const Source& each : sources) {
    for (std::uint32_t i = 0; i < each.vectors; ++i) {
      const std::uint32_t vector = each.first_vector + i;
      lines_.push_back({each.board, i, vector, ram.counter(vector)});
    }
    if (each.board->model() == Model::edu) engine_ = each.board;
  }
}

void Load::raise(Line& line) {
  line.before_last = ram_.counter(line.vector);
  ++line.raised;
  line.board->raise(line.index);
  raised_at_ = Clock::now();
}

bool Load::is_due(const Line& line) const {
  return line.raised != 0 && ram_.counter(line.vector) == line.before_last;
}

void Load::turn() {
  turn_interrupts();
  turn_copy();
}

void Load::turn_interrupts() {
  if (lines_.empty() || !trouble_.empty()) return;
  Line& line = lines_[current_];
  if (rhythm_ == Rhythm::bursts) {
    raise(line);
  } else if (!waiting_) {
    raise(line);
    waiting_ = true;
    return;
  } else if (is_due(line)) {
    if (Clock::now() - raised_at_ > kLost) trouble_ = "vector " + std::to_string(line.vector) + ": lost";
    return;
  }
  waiting_ = false;
  current_ = (current_ + 1) % lines_.size();
  if (current_ == 0) ++rounds_;
}

void Load::turn_copy() {
  if (engine_ == nullptr || engine_->is_copying()) return;
  if (copy_ == Copy::in) {
    engine_->copy_out(kTo, kCopyBytes);
    copy_ = Copy::out;
    return;
  }
  if (copy_ == Copy::out) check_copy();
  start_copy();
}

void Load::start_copy() {
  const auto from = ram_.bytes().subspan(kFrom, kCopyBytes);
  for (std::uint32_t at = 0; at < kCopyBytes; ++at) from[at] = pattern(copies_, at);
  engine_->copy_in(kFrom, kCopyBytes);
  copy_ = Copy::in;
}

void Load::check_copy() {
  const auto to = ram_.bytes().subspan(kTo, kCopyBytes);
  for (std::uint32_t at = 0; at < kCopyBytes && trouble_.empty(); ++at)
    if (to[at] != pattern(copies_, at))
      trouble_ = "copy " + std::to_string(copies_) + " by DMA: wrong at byte " + std::to_string(at);
  ++copies_;
}

void Load::run_for(std::chrono::milliseconds time) {
  constexpr std::uint64_t kLeast = 2;
  const auto until = Clock::now() + time;
  const std::uint64_t enough = lines_.empty() ? 0 : rounds_ + kLeast;
  while (Clock::now() < until || (rounds_ < enough && trouble_.empty())) {
    turn();
    ::usleep(100);
  }
}

std::string Load::settle() {
  const auto is_any_due = [this] {
    return std::ranges::any_of(lines_, [this](const Line& each) { return is_due(each); });
  };
  const auto until = Clock::now() + kLost;
  while (is_any_due() && Clock::now() < until) ::usleep(100);
  while (engine_ != nullptr && engine_->is_copying()) ::usleep(1000);
  if (copy_ == Copy::out) check_copy();
  copy_ = Copy::idle;
  ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kSettling).count()));
  waiting_ = false;
  if (!trouble_.empty()) return trouble_;
  for (const Line& each : lines_)
    if (is_due(each)) return "vector " + std::to_string(each.vector) + ": its last interrupt is lost";
  if (surplus() < 0 && rhythm_ == Rhythm::exact) return std::to_string(-surplus()) + " interrupts are lost";
  return {};
}

std::uint64_t Load::raised() const {
  std::uint64_t sum = 0;
  for (const Line& each : lines_) sum += each.raised;
  return sum;
}

std::uint64_t Load::delivered() const {
  std::uint64_t sum = 0;
  for (const Line& each : lines_) sum += ram_.counter(each.vector) - each.start;
  return sum;
}

}  // namespace vcpr::live
