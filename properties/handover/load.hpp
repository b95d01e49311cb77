// What goes on around a VM while it is handed over: devices raise interrupts, an edu copies memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "properties/handover/board.hpp"
#include "properties/handover/guest_ram.hpp"

namespace vcpr::live {

/// A board, and the vectors its interrupts reach the guest by.
struct Source {
  Board* board = nullptr;
  std::uint32_t first_vector = 0;
  std::uint32_t vectors = 1;
};

enum class Rhythm : std::uint8_t {
  exact,  ///< each interrupt after the one before was counted: every one is told apart
  bursts  ///< without waiting
};

class Load {
 public:
  Load(GuestRam& ram, const std::vector<Source>& sources, Rhythm rhythm);

  /// Does what can be done now; cheap, to be called again and again.
  void turn();
  /// turn() for so long, and on until each vector had its turn twice.
  void run_for(std::chrono::milliseconds time);
  /// Raises nothing more, waits for what is still due and a little longer. What is missing, or nothing.
  std::string settle();

  /// What went wrong so far; empty: nothing.
  const std::string& trouble() const { return trouble_; }
  std::uint64_t raised() const;
  std::uint64_t delivered() const;
  /// Deliveries beyond what was raised.
  std::int64_t surplus() const { return static_cast<std::int64_t>(delivered() - raised()); }
  std::uint32_t copies() const { return copies_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Line {
    Board* board;
    std::uint32_t index;  ///< of the board's vectors
    std::uint32_t vector;
    std::uint32_t start;  ///< the counter when all began
    std::uint32_t before_last = 0;
    std::uint64_t raised = 0;
  };
  enum class Copy : std::uint8_t { idle, in, out };

  void raise(Line& line);
  bool is_due(const Line& line) const;
  void turn_interrupts();
  void turn_copy();
  void start_copy();
  void check_copy();

  GuestRam& ram_;
  Rhythm rhythm_;
  std::vector<Line> lines_;
  std::size_t current_ = 0;
  std::uint64_t rounds_ = 0;  ///< turns of all of them
  bool waiting_ = false;
  Clock::time_point raised_at_;
  std::string trouble_;

  Board* engine_ = nullptr;  ///< an edu; null: nothing is copied
  Copy copy_ = Copy::idle;
  std::uint32_t copies_ = 0;
};

}  // namespace vcpr::live
