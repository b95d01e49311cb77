// The same guest, device and load in a real QEMU, which hands itself over: the figures beside ours.
#pragma once

#include <string>

#include "properties/handover/figures.hpp"
#include "properties/handover/trial.hpp"

namespace vcpr::live {

struct PeerTrial {
  bool iommufd = false;
  Mode mode = Mode::transfer;

  /// The one of ours that it is beside.
  Trial ours() const;
  /// "igb=msix:8, iommufd, transfer, real QEMU"
  std::string name() const;
};

/// `program`: qemu-system-x86_64 with CPR. What a QEMU cannot do is its own affair: the failure says why there is no
/// figure.
Verdict run_peer(const PeerTrial& trial, const std::string& program, Figures& figures);

}  // namespace vcpr::live
