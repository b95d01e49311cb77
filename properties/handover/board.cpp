#include "properties/handover/board.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <unistd.h>

namespace vcpr::live {

namespace {

constexpr std::size_t kMapped = 0x20000;  // of BAR 0: all that is used here

// edu (docs/specs/edu.rst of QEMU)
constexpr std::uint32_t kLiveness = 0x04;
constexpr std::uint32_t kFactorial = 0x08;
constexpr std::uint32_t kEduRaise = 0x60;
constexpr std::uint32_t kSource = 0x80;
constexpr std::uint32_t kDestination = 0x88;
constexpr std::uint32_t kCount = 0x90;
constexpr std::uint32_t kCommand = 0x98;
constexpr std::uint64_t kEduBuffer = 0x40000;

// 82576 (its INTx by the registers of the 8254x: QEMU has no others)
constexpr std::uint32_t kIcs = 0xc8;
constexpr std::uint32_t kIms = 0xd0;
constexpr std::uint32_t kGpie = 0x1514;
constexpr std::uint32_t kEics = 0x1520;
constexpr std::uint32_t kEims = 0x1524;
constexpr std::uint32_t kEiac = 0x152c;
constexpr std::uint32_t kRedirection = 0x5c00;
constexpr std::uint32_t kVectors = 0x3ff;
constexpr std::uint32_t kLinkChange = 4;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

}  // namespace

std::vector<std::string> find_boards(Model model) {
  std::vector<std::string> found;
  std::error_code absent;
  for (const auto& each : std::filesystem::directory_iterator("/sys/bus/pci/drivers/vfio-pci", absent))
    if (text_of(each.path() / "device") == (model == Model::edu ? "0x11e8" : "0x10c9"))
      found.push_back(each.path().filename().string());
  std::ranges::sort(found);
  return found;
}

std::unique_ptr<Board> Board::open(const std::string& address, Model model) {
  const std::string file = "/sys/bus/pci/devices/" + address + "/resource0";
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const mapped = ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED) return nullptr;
  return std::unique_ptr<Board>(new Board(address, model, static_cast<volatile std::uint8_t*>(mapped)));
}

Board::~Board() {
  ::munmap(const_cast<std::uint8_t*>(registers_), kMapped);
}

std::uint32_t Board::read(std::uint32_t offset) const {
  return *reinterpret_cast<volatile std::uint32_t*>(registers_ + offset);
}

void Board::write(std::uint32_t offset, std::uint32_t value) {
  *reinterpret_cast<volatile std::uint32_t*>(registers_ + offset) = value;
}

void Board::write_long(std::uint32_t offset, std::uint64_t value) {
  *reinterpret_cast<volatile std::uint64_t*>(registers_ + offset) = value;
}

void Board::prepare(Interrupt kind) {
  kind_ = kind;
  if (model_ == Model::edu) {
    write(kLiveness, 0x5eed'1234);
    write(kFactorial, 10);
    return;
  }
  write(kRedirection, 0x0102'0304);
  if (kind == Interrupt::msix) {
    write(kGpie, 0x10);
    write(kEiac, kVectors);
    write(kEims, kVectors);
  } else {
    write(kGpie, 0);
    write(kIms, kLinkChange);
  }
}

void Board::raise(std::uint32_t vector) {
  if (model_ == Model::edu)
    write(kEduRaise, 1);
  else if (kind_ == Interrupt::msix)
    write(kEics, std::uint32_t{1} << vector);
  else
    write(kIcs, kLinkChange);
}

std::map<std::string, std::uint64_t> Board::fingerprint() const {
  std::array<char, 64> head{};
  std::ifstream config("/sys/bus/pci/devices/" + address_ + "/config", std::ios::binary);
  config.read(head.data(), head.size());
  std::map<std::string, std::uint64_t> facts;
  std::uint16_t command = 0;
  std::memcpy(&command, head.data() + 4, sizeof command);
  facts["COMMAND"] = command & 0x3ffU;  // without DisINTx, which VFIO turns with each interrupt
  for (std::size_t bar = 0; bar < 6; ++bar) {
    std::uint32_t base = 0;
    std::memcpy(&base, head.data() + 0x10 + bar * 4, sizeof base);
    facts["BAR " + std::to_string(bar)] = base;
  }
  const std::vector<std::uint32_t> registers = model_ == Model::edu
                                                   ? std::vector<std::uint32_t>{0, kLiveness, kFactorial}
                                                   : std::vector<std::uint32_t>{kGpie, kEims, kIms, kRedirection};
  for (std::uint32_t each : registers) facts["register " + std::to_string(each)] = read(each);
  return facts;
}

void Board::copy_in(std::uint64_t iova, std::uint32_t bytes) {
  write_long(kSource, iova);
  write_long(kDestination, kEduBuffer);
  write_long(kCount, bytes);
  write_long(kCommand, 1);
}

void Board::copy_out(std::uint64_t iova, std::uint32_t bytes) {
  write_long(kSource, kEduBuffer);
  write_long(kDestination, iova);
  write_long(kCount, bytes);
  write_long(kCommand, 3);
}

bool Board::is_copying() const {
  return (read(kCommand) & 1) != 0;
}

}  // namespace vcpr::live
