// A real device seen past the VM: its registers through sysfs, so that it works whoever runs the VM, or nobody.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vcpr::live {

enum class Model : std::uint8_t { edu, igb };
enum class Interrupt : std::uint8_t { intx, msi, msix };

/// Addresses of devices of a model that are bound to vfio-pci, ascending.
std::vector<std::string> find_boards(Model model);

class Board {
 public:
  /// Null when its registers cannot be mapped.
  static std::unique_ptr<Board> open(const std::string& address, Model model);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  const std::string& address() const { return address_; }
  Model model() const { return model_; }
  /// Lets the device raise this kind, and leaves values in registers that a reset would change.
  void prepare(Interrupt kind);
  void raise(std::uint32_t vector);
  /// COMMAND, BARs and the registers that a reset would change, by name.
  std::map<std::string, std::uint64_t> fingerprint() const;

  // The engine of an edu, one transfer at a time, 100 ms each
  void copy_in(std::uint64_t iova, std::uint32_t bytes);
  void copy_out(std::uint64_t iova, std::uint32_t bytes);
  bool is_copying() const;

 private:
  Board(std::string address, Model model, volatile std::uint8_t* registers)
      : address_(std::move(address)), model_(model), registers_(registers) {}
  std::uint32_t read(std::uint32_t offset) const;
  void write(std::uint32_t offset, std::uint32_t value);
  void write_long(std::uint32_t offset, std::uint64_t value);

  std::string address_;
  Model model_;
  Interrupt kind_ = Interrupt::msi;
  volatile std::uint8_t* registers_;
};

}  // namespace vcpr::live
