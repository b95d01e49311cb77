// What fields are changed to.
#include <array>
#include <limits>

#include "engine/store/descriptor_table.hpp"
#include "properties/streams/damage.hpp"

namespace vcpr::streams {

namespace {

using namespace std::string_view_literals;

// QEMU hw/vfio/cpr.c, cpr-legacy.c, pci.c: the names that a VFIO device saves under; then what nobody sends.
constexpr std::array kReservedNames = {
    "vfio_group"sv,
    "vfio_container_for_group"sv,
    "0000:3a:00.1_interrupt"sv,
    "0000:3a:00.1_kvm_interrupt"sv,
    "0000:3a:00.1_intx-interrupt"sv,
    "0000:3a:00.1_intx-unmask"sv,
    "0000:3a:00.1_err_notifier"sv,
    "0000:3a:00.1_req_notifier"sv,
    "ram0"sv,
    "iommufd0"sv,
    ""sv,
    "a\0b"sv,
    "\xff\xfe\x80"sv,
    "CprState/vfio devices"sv,
};

constexpr std::array kSubsections = {
    "\x05\x15"
    "CprState/vfio devices\0\0\0\1\0"sv,
    "\x05\x15"
    "CprState/vfio devices\0\0\0\1"sv,
    "\x05\x15"
    "CprState/vfio devices\0\0\0\2\0"sv,
    "\x05\x10"
    "CprState/unknown\0\0\0\1"sv,
    "\x05\x0b"
    "other/state\0\0\0\1"sv,
    "\x05\x0d"
    "cpr fd/future\0\0\0\1"sv,
    "\x05\x1a"
    "configuration/capabilities\0\0\0\1\0\0\0\0"sv,
    "\x05\xff"
    "CprState/"sv,
    "\x05"sv,
};

constexpr std::array<std::uint64_t, 16> kByteEdges = {0, 1,    2,    3,    4,    5,    6,    7,
                                                      8, 0x1f, 0x20, 0x21, 0x30, 0x7e, 0x80, 0xff};
constexpr std::array<std::uint64_t, 8> kWordEdges = {0, 1, 2, 11, 0x7fff, 0x8000, 0xfffe, 0xffff};
constexpr std::uint64_t kName = store::kMaxNameBytes;
constexpr std::array<std::uint64_t, 20> kLongEdges = {0,          1,          2,          3,          4,
                                                      8,          0xff,       0x100,      kName,      kName + 1,
                                                      kName + 2,  0x00010000, 0x00010001, 0x01000000, 0x01000001,
                                                      0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
constexpr std::array<std::uint64_t, 8> kDoubleEdges = {
    0, 1, 0x10, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff};

}  // namespace

std::span<const std::string_view> reserved_names() {
  return kReservedNames;
}
std::span<const std::string_view> subsections() {
  return kSubsections;
}

std::span<const std::uint64_t> edge_values(std::size_t size) {
  if (size == 1) return kByteEdges;
  if (size == 2) return kWordEdges;
  if (size == 4) return kLongEdges;
  if (size == 8) return kDoubleEdges;
  return {};
}

}  // namespace vcpr::streams
