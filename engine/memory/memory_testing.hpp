// For tests of this room: how a refusal is expected, and listeners that note what they hear and refuse what they
// should.
#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/memory/address_map.hpp"

#define EXPECT_REFUSED(call, wanted)                                    \
  do {                                                                  \
    auto answer = call;                                                 \
    ASSERT_FALSE(answer);                                               \
    EXPECT_EQ(answer.error().code, wanted) << answer.error().message(); \
  } while (false)

namespace vcpr::memory {

/// "NAME+1000 NAME-1000": in hexadecimal, of an address map, a guest IOMMU or a discard manager.
class NotingListener final : public MapListener, public IommuListener, public DiscardListener {
 public:
  NotingListener(std::string name, std::vector<std::string>& heard) : name_(std::move(name)), heard_(heard) {}

  /// Agrees to this many, then refuses one.
  int agrees = -1;

  Expected<void> added(const FlatRange& range) override { return take(range.address); }
  Expected<void> removed(const FlatRange& range) override { return lose(range.address); }
  Expected<void> mapped(const IommuMapping& mapping) override { return take(mapping.iova); }
  Expected<void> unmapped(const IommuMapping& mapping) override { return lose(mapping.iova); }
  Expected<void> populated(std::uint64_t offset, std::uint64_t) override { return take(offset); }
  void discarded(std::uint64_t offset, std::uint64_t) override { (void)lose(offset); }

 private:
  Expected<void> take(std::uint64_t address) {
    if (agrees-- == 0) return refuse(ErrorCode::os_error, {name_, " has no room"});
    note('+', address);
    return {};
  }
  Expected<void> lose(std::uint64_t address) {
    note('-', address);
    return {};
  }
  void note(char sign, std::uint64_t address);

  std::string name_;
  std::vector<std::string>& heard_;
};

inline void NotingListener::note(char sign, std::uint64_t address) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (; address != 0 || digits.empty(); address /= 16) digits.insert(digits.begin(), kDigits[address % 16]);
  heard_.push_back(name_ + sign + digits);
}

}  // namespace vcpr::memory
