// One VM, handed over once or several times under load: what it is made of, and what must hold.
#pragma once

#include <string>
#include <vector>

#include "properties/handover/board.hpp"
#include "properties/handover/demo_process.hpp"
#include "properties/handover/figures.hpp"
#include "properties/handover/load.hpp"

namespace vcpr::live {

enum class Mode : std::uint8_t { transfer, exec };

struct BoardUse {
  Model model = Model::igb;
  Interrupt interrupt = Interrupt::msix;
  std::uint32_t vectors = 1;
};

struct Trial {
  std::vector<BoardUse> boards;
  bool iommufd = false;
  bool kvm = true;
  std::vector<Mode> hops;
  Rhythm rhythm = Rhythm::exact;
  /// The first attempt is to fail: the new process dies in this step, or the new program does not exist ("program"), or
  /// the new process stops when it has taken over ("stop") and is killed once the old one waits for it.
  std::string failure;

  /// "igb=msix:8, iommufd"
  std::string machine() const;
  /// "igb=msix:8, iommufd, transfer, exact"
  std::string name() const;
};

struct Verdict {
  std::string failure;  ///< empty: passed
  std::string remarks;  ///< counts, and how a failed attempt ended
};

/// `program`: vcpr. Boards are found by their model, lowest address first. Times of its handovers go to `figures`.
Verdict run(const Trial& trial, const std::string& program, Figures& figures);

}  // namespace vcpr::live
