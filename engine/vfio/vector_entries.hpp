// The eventfds of a device's interrupts as entries of the descriptor table: which there are, and which there must be.
#pragma once

#include <array>
#include <string_view>

#include "engine/os/error.hpp"
#include "engine/store/key.hpp"

namespace vcpr::vfio {

class PciDevice;

/// "DEVICE_NAME", made in place: every vector asks for several. Longer than an entry's name may be, it is cut one byte
/// beyond, which the table refuses as it refuses the whole.
class VectorEntryName {
 public:
  VectorEntryName(const PciDevice& device, std::string_view name);
  // NOLINTNEXTLINE(google-explicit-constructor): it is text
  operator std::string_view() const { return {text_.data(), size_}; }

 private:
  std::array<char, store::kMaxNameBytes + 1> text_;
  std::size_t size_ = 0;
};

bool has_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number);
/// missing_key with the entry and `why`.
Expected<void> check_vector_fd(const PciDevice& device, std::string_view name, std::int32_t number,
                               std::string_view why);
/// Vector `number` has both eventfds, or "interrupt" alone without KVM, or none unless it is needed: missing_key,
/// bad_value.
Expected<void> check_vector_entries(const PciDevice& device, std::uint32_t number, bool needed, bool with_kvm);
/// bad_value: an entry of a vector from `end` on, or below 0.
Expected<void> check_no_vector_entries(const PciDevice& device, std::uint32_t end);
/// bad_value: there is such an entry.
Expected<void> check_no_vector_fd(const PciDevice& device, std::string_view name);

/// Claims what came of vectors below `end` and of INTx, so that nothing of this device's is left over. key_in_use.
Expected<void> claim_vector_entries(PciDevice& device, std::uint32_t end);
/// Drops all of it again, and closes it.
void drop_vector_entries(PciDevice& device, std::uint32_t end);

}  // namespace vcpr::vfio
