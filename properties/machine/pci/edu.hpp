// QEMU's educational device: an interrupt on request and a DMA engine (docs/specs/edu.rst of QEMU).
#pragma once

#include <array>
#include <cstddef>

#include "properties/machine/pci/function.hpp"

namespace vcpr::machine {

class Edu final : public PciFunction {
 public:
  using PciFunction::PciFunction;

  static constexpr std::uint64_t kIdentification = 0x010000ed;
  static constexpr std::uint64_t kLiveness = 0x04;
  static constexpr std::uint64_t kFactorial = 0x08;
  static constexpr std::uint64_t kStatus = 0x20;
  static constexpr std::uint64_t kInterruptStatus = 0x24;
  static constexpr std::uint64_t kRaise = 0x60;
  static constexpr std::uint64_t kAcknowledge = 0x64;
  static constexpr std::uint64_t kSource = 0x80;
  static constexpr std::uint64_t kDestination = 0x88;
  static constexpr std::uint64_t kCount = 0x90;
  static constexpr std::uint64_t kDmaCommand = 0x98;
  static constexpr std::uint64_t kRun = 1;
  static constexpr std::uint64_t kFromDevice = 2;
  static constexpr std::uint64_t kInterruptAtEnd = 4;
  static constexpr std::uint32_t kDmaInterrupt = 0x100;
  /// Of the buffer, in the engine's addresses.
  static constexpr std::uint64_t kBuffer = 0x40000;
  static constexpr std::size_t kBufferBytes = 4096;
  /// What a transfer takes, nanoseconds.
  static constexpr std::uint64_t kTransferTime = 100'000'000;

  std::uint64_t read_register(std::uint32_t bar, std::uint64_t offset, std::uint32_t bytes) override;
  void write_register(std::uint32_t bar, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) override;
  void reset_registers() override;
  void timer() override;

 private:
  void raise(std::uint32_t causes);
  void lower(std::uint32_t causes);
  void write_engine(std::uint64_t offset, std::uint64_t value);
  void transfer();
  void compute(std::uint32_t value);

  std::uint32_t liveness_ = 0;
  std::uint32_t factorial_ = 0;
  std::uint32_t status_ = 0;
  std::uint32_t causes_ = 0;
  std::array<std::uint64_t, 4> engine_{};  // source, destination, count, command
  std::array<std::byte, kBufferBytes> buffer_{};
};

}  // namespace vcpr::machine
