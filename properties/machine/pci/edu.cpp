#include "properties/machine/pci/edu.hpp"

#include <span>

#include "properties/machine/iommu.hpp"
#include "properties/machine/state.hpp"
#include "properties/machine/vfio/device.hpp"

namespace vcpr::machine {

namespace {

constexpr std::uint32_t kFactorialInterrupt = 0x80;
constexpr std::uint64_t kAddressMask = (std::uint64_t{1} << 28) - 1;  // of the engine
constexpr std::uint64_t kNothing = ~std::uint64_t{0};

}  // namespace

std::uint64_t Edu::read_register(std::uint32_t, std::uint64_t offset, std::uint32_t bytes) {
  if (bytes < 4 || (offset < kSource && bytes != 4)) return kNothing;
  switch (offset) {
    case 0:
      return kIdentification;
    case kLiveness:
      return liveness_;
    case kFactorial:
      return factorial_;
    case kStatus:
      return status_;
    case kInterruptStatus:
      return causes_;
    case kSource:
    case kDestination:
    case kCount:
    case kDmaCommand:
      return engine_[(offset - kSource) / 8];
    default:
      return kNothing;
  }
}

void Edu::write_register(std::uint32_t, std::uint64_t offset, std::uint64_t value, std::uint32_t bytes) {
  if (bytes < 4 || (offset < kSource && bytes != 4)) return;
  const auto word = static_cast<std::uint32_t>(value);
  switch (offset) {
    case kLiveness:
      liveness_ = ~word;
      break;
    case kFactorial:
      compute(word);
      break;
    case kStatus:
      status_ = word & kFactorialInterrupt;
      break;
    case kRaise:
      raise(word);
      break;
    case kAcknowledge:
      lower(word);
      break;
    case kSource:
    case kDestination:
    case kCount:
    case kDmaCommand:
      write_engine(offset, value);
      break;
    default:
      break;
  }
}

void Edu::compute(std::uint32_t value) {
  constexpr std::uint32_t kZeroFrom = 34;  // 34! has 32 factors of two
  factorial_ = value >= kZeroFrom ? 0 : 1;
  for (std::uint32_t factor = 2; factorial_ != 0 && factor <= value; ++factor) factorial_ *= factor;
  if (status_ != 0) raise(1);
}

void Edu::write_engine(std::uint64_t offset, std::uint64_t value) {
  std::uint64_t& command = engine_[3];
  if ((command & kRun) != 0) return;
  if (offset != kDmaCommand) {
    engine_[(offset - kSource) / 8] = value;
  } else if ((value & kRun) != 0) {
    command = value;
    start_timer(*this, machine.now + kTransferTime);
  }
}

void Edu::raise(std::uint32_t causes) {
  causes_ |= causes;
  if (causes_ == 0) return;
  if (device->interrupts.mode == IrqMode::msi)
    raise_message(*this, 0);
  else
    set_line(*this, true);
}

void Edu::lower(std::uint32_t causes) {
  causes_ &= ~causes;
  if (causes_ == 0 && device->interrupts.mode != IrqMode::msi) set_line(*this, false);
}

void Edu::transfer() {
  const bool outward = (engine_[3] & kFromDevice) != 0;
  const std::uint64_t inside = outward ? engine_[0] : engine_[1];
  const std::uint64_t iova = (outward ? engine_[1] : engine_[0]) & kAddressMask;
  const std::uint64_t count = engine_[2];
  // QEMU only warns of a range beyond the buffer; a real engine has nothing there
  if (inside < kBuffer || inside - kBuffer > kBufferBytes || count > kBufferBytes - (inside - kBuffer)) return;
  if (!is_bus_master()) return;
  const std::span<std::byte> part = std::span(buffer_).subspan(inside - kBuffer, count);
  outward ? dma_write(machine, *device, iova, part) : dma_read(machine, *device, iova, part);
}

void Edu::timer() {
  if ((engine_[3] & kRun) == 0) return;
  transfer();
  engine_[3] &= ~kRun;
  if ((engine_[3] & kInterruptAtEnd) != 0) raise(kDmaInterrupt);
}

void Edu::reset_registers() {
  liveness_ = factorial_ = status_ = causes_ = 0;
  engine_ = {};
  buffer_ = {};
}

}  // namespace vcpr::machine
