// An open file description: what descriptors, messages in flight and mappings share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/os/kernel.hpp"
#include "properties/machine/machine.hpp"

namespace vcpr::machine {

class EventWaiter;
class FileObject;
class Memory;
struct Socket;

/// The device nodes of a host with VFIO. Their behaviour beyond being a file comes with their subsystems.
enum class Device : std::uint8_t { none, null, zero, vfio_container, vfio_group, vfio_cdev, vfio_device, iommufd, kvm };

inline constexpr std::uint64_t kStillOpen = ~std::uint64_t{0};
/// F_GETFL of a file opened by path or memfd_create on a 64-bit kernel.
inline constexpr int kLargeFile = 0100000;

/// Never freed: the truth includes those long closed. What it refers to goes with the last reference.
struct Description {
  std::uint32_t id = 0;          ///< 1, 2, ... in the order they were made
  std::uint32_t references = 0;  ///< descriptors and messages in flight
  FileKind kind{};
  Device device{};
  bool semaphore = false;  ///< eventfd
  bool reachable = false;  ///< scratch of the collector of cycles
  int flags = 0;           ///< access mode and status flags, as F_GETFL
  std::uint32_t mode = 0;
  std::uint64_t offset = 0;   ///< file position
  std::uint64_t counter = 0;  ///< eventfd
  std::uint64_t inode = 0;
  std::uint64_t special_device = 0;
  std::uint64_t opened_at = 0;           ///< number of the call
  std::uint64_t closed_at = kStillOpen;  ///< number of the call
  Memory* memory = nullptr;              ///< memfd and file
  Socket* socket = nullptr;
  EventWaiter* waiters = nullptr;  ///< eventfd: irqfds and virqfds on it
  FileObject* object = nullptr;    ///< what a device node or an anonymous file of VFIO, iommufd or KVM stands for
  std::string_view name;           ///< memfd
  std::string_view link;           ///< given from outside; empty: made from the kind
  Description* next = nullptr;
  Description* next_dying = nullptr;

  bool readable() const { return (flags & 3) != 1; }
  bool writable() const { return (flags & 3) != 0; }
};

/// A new description of the machine with no reference yet.
Description& make_description(Machine::Impl& machine, FileKind kind, int flags);
void acquire(Description& description);
/// The last reference tears down what the description stands for, and what that held in turn.
void release(Machine::Impl& machine, Description& description);
/// Target of the /proc/self/fd link, written into `buffer`; returns the part used.
std::string_view link_text(const Description& description, std::span<char> buffer);
/// Longest text link_text() makes for a description that was not given one.
inline constexpr std::size_t kLinkBytes = 300;

}  // namespace vcpr::machine
