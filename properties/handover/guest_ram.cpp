#include "properties/handover/guest_ram.hpp"

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vcpr::live {

namespace {

/// Ours has it by the name of the block, QEMU by that of the backend's type.
bool is_ram(const std::string& link) {
  return link.starts_with("/memfd:") &&
         (link.find("ram0") != std::string::npos || link.find("memory-backend") != std::string::npos);
}

/// Of the guest's memory in that process, opened anew; -1.
int open_memory(pid_t process) {
  std::error_code error;
  for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", error)) {
    const std::string link = std::filesystem::read_symlink(each.path(), error).string();
    if (is_ram(link)) return ::open(each.path().c_str(), O_RDWR | O_CLOEXEC);
  }
  return -1;
}

template <class Word>
Word load(std::uint8_t* at) {
  return std::atomic_ref(*reinterpret_cast<Word*>(at)).load();
}

}  // namespace

std::unique_ptr<GuestRam> GuestRam::of(pid_t process, const GuestPlaces& places) {
  const int fd = open_memory(process);
  struct stat stat{};
  if (fd < 0 || ::fstat(fd, &stat) != 0) return nullptr;
  const auto size = static_cast<std::size_t>(stat.st_size);
  void* const base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (base == MAP_FAILED) return nullptr;
  return std::unique_ptr<GuestRam>(new GuestRam(static_cast<std::uint8_t*>(base), size, places));
}

GuestRam::~GuestRam() {
  ::munmap(base_, size_);
}

std::uint64_t GuestRam::heartbeat() const {
  return long_word(places_.heartbeat);
}

std::uint64_t GuestRam::gap() const {
  return long_word(places_.gap);
}

void GuestRam::forget_gap() {
  clear_long_word(places_.gap);
}

std::uint64_t GuestRam::last_beat() const {
  return long_word(places_.stamp);
}

void GuestRam::forget_last_beat() {
  clear_long_word(places_.stamp);
}

std::uint32_t GuestRam::word(std::uint32_t address) const {
  return load<std::uint32_t>(base_ + address);
}

std::uint64_t GuestRam::long_word(std::uint32_t address) const {
  return load<std::uint64_t>(base_ + address);
}

void GuestRam::clear_long_word(std::uint32_t address) {
  std::atomic_ref(*reinterpret_cast<std::uint64_t*>(base_ + address)).store(0);
}

}  // namespace vcpr::live
