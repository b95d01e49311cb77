// Operations on a descriptor table as an input: four bytes each, or a line of text.
//
//   save ram0 0 new                             a fresh eventfd
//   save vfio_container_for_group 2 held 1      the number that the second entry holds
//   save ram0 1 none                            -1
//   share vfio_container_for_group 3 with vfio_container_for_group 2
//   resave ram0 0 held 0      parameter ram0 5 new      (QEMU's cpr_get_fd_param, old process)
//   find|claim|unclaim|remove|take|inherit ram0 0       (inherit: cpr_get_fd_param, new process)
//   walk                                        compare everything
//   check ram0 0                                every entry but this one must be claimed
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/key.hpp"

namespace vcpr::table {

enum class Verb : std::uint8_t {
  save,
  share,
  resave,
  parameter,
  find,
  claim,
  unclaim,
  remove,
  take,
  inherit,
  walk,
  check,
};
inline constexpr std::size_t kVerbs = 12;

/// True for those that bring a descriptor along.
bool offers(Verb verb);

/// Which descriptor that is.
enum class Offer : std::uint8_t { fresh, held, none };

struct Operation {
  Verb verb{};
  std::uint8_t name = 0;  ///< index into names()
  std::int8_t id = 0;
  std::uint8_t existing_name = 0;  ///< share: the key that is there
  std::int8_t existing_id = 0;
  Offer offer{};           ///< save, resave, parameter
  std::uint8_t entry = 0;  ///< Offer::held: position in the table, modulo its size

  store::Key key() const;
  store::Key existing() const;
  bool operator==(const Operation&) const = default;
};

/// The names that operations use: good, sharing, reserved, at the limits and beyond.
struct Name {
  std::string_view label;  ///< in text
  std::string_view name;
};
std::span<const Name> names();

using OperationBytes = std::array<std::uint8_t, 4>;

/// Every four bytes are an operation; missing ones are zero.
Operation decode(std::span<const std::uint8_t> bytes);
OperationBytes encode(const Operation& operation);
/// The line of an operation, without its newline.
std::string print(const Operation& operation);
/// The operation of a line, or why there is none.
std::expected<Operation, std::string> parse(std::string_view line);

/// Whole inputs: print and parse of each line; empty lines and those that begin with # are skipped.
std::string print_all(std::span<const std::uint8_t> input);
std::expected<std::vector<std::uint8_t>, std::string> parse_all(std::string_view text);

}  // namespace vcpr::table
