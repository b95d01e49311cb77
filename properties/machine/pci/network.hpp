// The interrupt block of Intel's network controllers: 82576 (igb) and 82574 (e1000e). They move no packets here.
#pragma once

#include "properties/machine/pci/function.hpp"

namespace vcpr::machine {

class NetworkController : public PciFunction {
 public:
  using PciFunction::PciFunction;

  std::uint64_t read_register(std::uint32_t bar, std::uint64_t offset, std::uint32_t bytes) override;
  void write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) override;
  void reset_registers() override;

  /// Offsets of the legacy block: read (and clear) causes, set causes, set and clear their mask.
  struct Legacy {
    std::uint64_t causes, set, mask, clear_mask;
  };

 protected:
  ~NetworkController() = default;
  virtual const Legacy& legacy() const = 0;
  /// True when the controller has such a register and took the write.
  virtual bool write_extended(std::uint64_t, std::uint32_t) { return false; }
  virtual std::uint32_t read_extended(std::uint64_t) { return 0; }
  virtual void reset_extended() {}
  /// Causes that are enabled and were not before.
  virtual void notify(std::uint32_t raised) = 0;

 private:
  void raise(std::uint32_t causes, std::uint32_t mask);
  void update_line();

  std::uint32_t causes_ = 0;
  std::uint32_t mask_ = 0;
};

/// 8086:10c9: extended causes, one per MSI-X vector.
class Igb final : public NetworkController {
 public:
  using NetworkController::NetworkController;

  static constexpr std::uint64_t kGpie = 0x1514;
  static constexpr std::uint64_t kEics = 0x1520;
  static constexpr std::uint64_t kEims = 0x1524;
  static constexpr std::uint64_t kEimc = 0x1528;
  static constexpr std::uint64_t kEiac = 0x152c;
  static constexpr std::uint64_t kEiam = 0x1530;
  static constexpr std::uint64_t kEicr = 0x1580;
  static constexpr std::uint64_t kIcr = 0x1500;
  static constexpr std::uint64_t kIcs = 0x1504;
  static constexpr std::uint64_t kIms = 0x1508;
  static constexpr std::uint64_t kImc = 0x150c;
  /// Of GPIE: extended causes are MSI-X vectors.
  static constexpr std::uint32_t kMsixMode = 0x10;

 private:
  const Legacy& legacy() const override;
  bool write_extended(std::uint64_t offset, std::uint32_t value) override;
  std::uint32_t read_extended(std::uint64_t offset) override;
  void reset_extended() override;
  void notify(std::uint32_t raised) override;
  void raise_extended(std::uint32_t& changed, std::uint32_t bits);

  std::uint32_t general_ = 0;
  std::uint32_t extended_ = 0;
  std::uint32_t extended_mask_ = 0;
  std::uint32_t auto_clear_ = 0;
};

/// 8086:10d3: causes 20 to 24 are the MSI-X vectors 0 to 4.
class Nic final : public NetworkController {
 public:
  using NetworkController::NetworkController;

  static constexpr std::uint64_t kIcr = 0xc0;
  static constexpr std::uint64_t kIcs = 0xc8;
  static constexpr std::uint64_t kIms = 0xd0;
  static constexpr std::uint64_t kImc = 0xd8;
  static constexpr std::uint32_t kFirstVectorCause = 20;

 private:
  const Legacy& legacy() const override;
  void notify(std::uint32_t raised) override;
};

}  // namespace vcpr::machine
