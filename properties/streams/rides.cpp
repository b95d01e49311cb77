#include "properties/streams/rides.hpp"

#include <algorithm>
#include <span>

#include "engine/wire/channel.hpp"
#include "properties/streams/riders.hpp"
#include "properties/streams/stand_in.hpp"

namespace vcpr::streams {

namespace {

/// An entry, most of it the name.
constexpr std::size_t kTypicalEntryBytes = 32;

/// Behind every stream.
constexpr std::uint64_t kNever = ~std::uint64_t{0};

/// The descriptors of a stream as they are made.
class Preparation {
 public:
  Preparation(const TransferInput& input, machine::Process& holder) : input_(input), holder_(holder) {
    rides_.reserve(input.stream.size() / kTypicalEntryBytes + 1);
  }

  void add(const Rider& rider) {
    bool joins = rides_.size() % together() != 0;
    rides_.push_back({joins ? rides_.back().offset : rider.offset + input_.late, make(rider.name)});
  }
  std::vector<wire::RidingFd>& rides() { return rides_; }

 private:
  std::size_t together() const { return input_.together == 0 ? wire::kDescriptorsPerMessage : input_.together; }

  int make(std::string_view name) {
    if (input_.one_description && !rides_.empty()) return rides_.front().number;
    bool odd = input_.odd_kind != 0 && rides_.size() == input_.odd_entry;
    machine::Described wanted =
        odd ? stand_in(static_cast<store::DescriptorKind>(input_.odd_kind)) : stand_in_for(name);
    wanted.close_on_exec = true;
    return holder_.install(wanted);
  }

  const TransferInput& input_;
  machine::Process& holder_;
  std::vector<wire::RidingFd> rides_;
};

}  // namespace

std::vector<wire::RidingFd> make_rides(const TransferInput& input, machine::Process& holder) {
  Preparation preparation(input, holder);
  Riders riders(input.stream, handover::Encoding::transfer);
  Rider last;
  while (auto rider = riders.next()) preparation.add(last = *rider);
  for (int i = 0; i < input.surplus; ++i) preparation.add(last);
  auto& rides = preparation.rides();
  std::size_t missing = input.surplus < 0 ? static_cast<std::size_t>(-input.surplus) : 0;
  for (auto& ride : std::span(rides).last(std::min(rides.size(), missing))) ride.offset = kNever;
  return std::move(rides);
}

}  // namespace vcpr::streams
