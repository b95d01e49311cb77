// Where an interrupt goes that user space delivers: KVM, or the embedder's own controllers.
#pragma once

#include "engine/kvm/message.hpp"
#include "engine/os/error.hpp"

namespace vcpr::kvm {

class InterruptSink {
 public:
  virtual ~InterruptSink() = default;
  virtual Expected<void> send_message(const MsiMessage& message) = 0;
  /// `gsi` as the chipset routes the pin.
  virtual Expected<void> set_line(std::uint32_t gsi, bool up) = 0;
};

}  // namespace vcpr::kvm
