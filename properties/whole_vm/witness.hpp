// What both processes asked the kernel during an attempt: every ioctl, with who asked and what came of it.
#pragma once

#include <cstdint>
#include <vector>

#include "properties/machine/machine.hpp"

namespace vcpr::whole_vm {

struct Asked {
  std::uint64_t number = 0;  ///< of the call, in the machine's count
  std::uint32_t pid = 0;
  std::uint32_t image = 0;
  machine::Call call{};
  std::uint64_t request = 0;  ///< of an ioctl
  bool succeeded = false;
  machine::FaultSet passed{};  ///< fault points that the call came by
};

class Witness final : public machine::Listener {
 public:
  Witness() { asked_.reserve(kUsualCalls); }
  void called(const machine::CallRecord& record) override;
  void forget() { asked_.clear(); }
  const std::vector<Asked>& asked() const { return asked_; }
  /// How often this request succeeded, by any process or image.
  std::uint64_t count(std::uint64_t request) const;

 private:
  static constexpr std::size_t kUsualCalls = 512;  ///< of an attempt, and what follows it

  std::vector<Asked> asked_;
};

}  // namespace vcpr::whole_vm
