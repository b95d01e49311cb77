// Tells every call of a machine, while a run is being explained.
#pragma once

#include "fuzz/target.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::fuzz {

class ExplainCalls final : public machine::Listener {
 public:
  /// Listens when there is somebody to tell. The machine dies first or together with this.
  ExplainCalls(machine::Machine& machine, const Explain* explain) : explain_(explain) {
    if (explain != nullptr) machine.set_listener(this);
  }
  void called(const machine::CallRecord& record) override { (*explain_)(machine::format(record)); }

 private:
  const Explain* explain_;
};

}  // namespace vcpr::fuzz
