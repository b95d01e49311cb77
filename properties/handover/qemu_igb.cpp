#include "properties/handover/qemu_igb.hpp"

#include <cstdlib>
#include <string>

namespace vcpr::live {

namespace {

constexpr std::uint32_t kRegisters = 0xfe40'0000;
constexpr std::uint32_t kTable = 0xfe44'0000;
constexpr std::uint32_t kLapic = 0xfee0'0000;
constexpr std::uint32_t kMsixId = 0x11;
constexpr std::uint32_t kBar3 = 3;
constexpr std::uint32_t kIgb = 0x10c9'8086;

class Guest {
 public:
  explicit Guest(Lines& qtest) : qtest_(qtest) {}
  void write(std::uint32_t address, std::uint32_t value) { ask("writel", address, value); }
  void write_config(std::uint32_t offset, std::uint32_t value) {
    select(offset);
    ask("outl", 0xcfc, value);
  }
  std::uint32_t read_config(std::uint32_t offset) {
    select(offset);
    qtest_.tell("inl 0xcfc");
    const std::string answer = qtest_.listen({"OK ", "FAIL"});
    return answer.starts_with("OK ") ? static_cast<std::uint32_t>(std::strtoul(answer.c_str() + 3, nullptr, 16)) : 0;
  }

 private:
  void select(std::uint32_t offset) { ask("outl", 0xcf8, 0x8000'0000U | kQemuIgbSlot << 11 | offset); }
  void ask(const std::string& verb, std::uint32_t address, std::uint32_t value) {
    qtest_.tell(verb + " " + std::to_string(address) + " " + std::to_string(value));
    (void)qtest_.listen({"OK", "FAIL"});
  }
  Lines& qtest_;
};

}  // namespace

bool set_up_qemu_igb(Lines& qtest, std::uint32_t first, std::uint32_t vectors) {
  Guest guest(qtest);
  if (guest.read_config(0) != kIgb) return false;
  guest.write_config(0x10, kRegisters);
  guest.write_config(0x1c, kTable);
  guest.write_config(0x04, 6);  // memory, bus master
  std::uint32_t msix = guest.read_config(0x34) & 0xff;
  while (msix != 0 && (guest.read_config(msix) & 0xff) != kMsixId) msix = guest.read_config(msix) >> 8 & 0xff;
  if (msix == 0 || guest.read_config(msix + 4) != kBar3) return false;  // the table begins it
  for (std::uint32_t i = 0; i < vectors; ++i) {
    const std::uint32_t entry = kTable + i * 16;
    guest.write(entry, kLapic);
    guest.write(entry + 4, 0);
    guest.write(entry + 8, first + i);
    guest.write(entry + 12, 0);
  }
  guest.write_config(msix, guest.read_config(msix) | 0x8000'0000);
  return true;
}

}  // namespace vcpr::live
