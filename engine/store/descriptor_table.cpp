#include "engine/store/descriptor_table.hpp"

#include <algorithm>
#include <utility>

namespace vcpr::store {

bool may_share(std::string_view name) {
  return name == "vfio_container_for_group";
}

namespace {

/// Unique, so whatever is found under it is right. The kernel gives out the lowest free number, so that numbers lie
/// close together: doubled, neighbours stay near in the index and yet do not form one long cluster.
std::uint32_t hash_of_number(int number) {
  return static_cast<std::uint32_t>(number) << 1;
}
constexpr auto kAny = [](std::uint32_t) { return true; };

std::unexpected<Error> missing(Key key) {
  return refuse(ErrorCode::missing_key, {describe(key), ": is not in the table"});
}

}  // namespace

DescriptorTable::DescriptorTable(DescriptorTable&& other) noexcept
    : entries_(std::exchange(other.entries_, {})),
      numbers_(std::exchange(other.numbers_, {})),
      kernel_(other.kernel_),
      generation_(other.generation_) {}

DescriptorTable& DescriptorTable::operator=(DescriptorTable&& other) noexcept {
  if (this != &other) {
    close_all();
    entries_ = std::exchange(other.entries_, {});
    numbers_ = std::exchange(other.numbers_, {});
    kernel_ = other.kernel_;
    generation_ = other.generation_;
  }
  return *this;
}

DescriptorTable::~DescriptorTable() {
  close_all();
}

Expected<void> DescriptorTable::save(const Key& key, os::Fd fd) {
  Expected<void> saved = insert(key, fd.kernel(), fd.number());
  bool ours = saved || (fd.kernel() == kernel_ && holder_of(fd.number()) != kNowhere);
  if (ours) (void)fd.release();
  return saved;
}

Expected<void> DescriptorTable::share(Key key, Key existing) {
  Expected<std::uint32_t> position = position_of(existing);
  if (!position) return std::unexpected(std::move(position.error()));
  return insert(key, kernel_, entries_.value(*position).number);
}

Expected<void> DescriptorTable::resave(Key key, os::Kernel& kernel, int number) {
  std::uint32_t position = entries_.find(key);
  if (position == kNowhere) return adopt(key, kernel, number);
  int held = entries_.value(position).number;
  if (held == number && kernel_ == &kernel) return {};
  return refuse(ErrorCode::different_descriptor,
                {describe(key), ": holds descriptor ", Decimal(held), " and cannot become ", Decimal(number)});
}

Expected<int> DescriptorTable::find(Key key) const {
  std::uint32_t position = entries_.find(key);
  if (position == kNowhere) return missing(key);
  return entries_.value(position).number;
}

std::optional<Entry> DescriptorTable::find_number(int number) const {
  std::uint32_t position = holder_of(number);
  if (position == kNowhere) return std::nullopt;
  return entry_at(position);
}

Expected<int> DescriptorTable::claim(Key key) {
  Expected<std::uint32_t> position = position_of(key);
  if (!position) return std::unexpected(std::move(position.error()));
  Held& held = entries_.value(*position);
  if (held.claimed) return refuse(ErrorCode::key_in_use, {describe(key), ": claimed twice"});
  held.claimed = true;
  return held.number;
}

Expected<void> DescriptorTable::unclaim(Key key) {
  Expected<std::uint32_t> position = position_of(key);
  if (!position) return std::unexpected(std::move(position.error()));
  entries_.value(*position).claimed = false;
  return {};
}

Expected<void> DescriptorTable::remove(Key key) {
  Expected<std::uint32_t> position = position_of(key);
  if (!position) return std::unexpected(std::move(position.error()));
  int number = entries_.value(*position).number;
  if (drop(*position)) (void)kernel_->close(number);
  return {};
}

Expected<os::Fd> DescriptorTable::take(Key key) {
  Expected<std::uint32_t> position = position_of(key);
  if (!position) return std::unexpected(std::move(position.error()));
  const Held& held = entries_.value(*position);
  if (held.next_sharer != *position) {
    return refuse(ErrorCode::same_descriptor,
                  {describe(key), ": shares descriptor ", Decimal(held.number), " with ",
                   describe(entries_.key_at(held.next_sharer)), " and cannot give it away"});
  }
  os::Fd fd(*kernel_, held.number);
  (void)drop(*position);
  return fd;
}

Expected<int> DescriptorTable::get_parameter(Key key, os::Kernel& kernel, int given, bool incoming) {
  if (incoming) return claim(key);
  if (Expected<void> kept = adopt(key, kernel, given); !kept) return std::unexpected(std::move(kept.error()));
  return given;
}

void DescriptorTable::disown() {
  entries_ = {};
  numbers_ = {};
  ++generation_;
}

Expected<void> DescriptorTable::check_all_claimed(std::span<const Key> optional) const {
  for (Entry entry : *this) {
    if (entry.claimed || std::ranges::find(optional, entry.key) != optional.end()) continue;
    return refuse(ErrorCode::unclaimed,
                  {describe(entry.key), ": nobody has claimed descriptor ", Decimal(entry.number)});
  }
  return {};
}

void DescriptorTable::reserve(std::size_t entries, std::size_t name_bytes) {
  entries_.reserve(entries, name_bytes);
  if (entries > entries_.kScanned) numbers_.reserve(entries);
}

Expected<std::uint32_t> DescriptorTable::position_of(Key key) const {
  std::uint32_t position = entries_.find(key);
  if (position == kNowhere) return missing(key);
  return position;
}

std::uint32_t DescriptorTable::holder_of(int number) const {
  if (entries_.indexed()) {
    return numbers_.find(hash_of_number(number), kAny);
  }
  std::uint32_t position = entries_.first();
  while (position != kNowhere && entries_.value(position).number != number) position = entries_.next(position);
  return position;
}

Entry DescriptorTable::entry_at(std::uint32_t position) const {
  const Held& held = entries_.value(position);
  return {entries_.key_at(position), held.number, held.claimed};
}

Expected<void> DescriptorTable::insert(const Key& key, os::Kernel* kernel, int number) {
  std::uint32_t hash = hash_of(key);
  std::uint32_t holder = holder_of(number);
  if (Expected<void> checked = check_new(key, hash, kernel, number, holder); !checked) return checked;
  bool was_indexed = entries_.indexed();
  std::uint32_t position = entries_.append(key, hash, {number, kNowhere, kNowhere, false});
  join(position, holder);
  if (!was_indexed && entries_.indexed()) {
    relink();
  } else if (was_indexed && holder == kNowhere) {
    numbers_.insert(hash_of_number(number), position);
  }
  kernel_ = kernel;
  ++generation_;
  return {};
}

Expected<void> DescriptorTable::check_new(const Key& key, std::uint32_t hash, os::Kernel* kernel, int number,
                                          std::uint32_t holder) const {
  if (!is_name(key.name)) return check_name(key.name);
  if (number < 0) {
    return refuse(ErrorCode::bad_descriptor, {describe(key), ": ", Decimal(number), " is not an open descriptor"});
  }
  if (entries_.size() > 0 && kernel != kernel_) {
    return refuse(ErrorCode::bad_descriptor,
                  {describe(key), ": descriptor ", Decimal(number), " belongs to another process"});
  }
  if (entries_.is_crowded(hash)) return refuse(ErrorCode::too_long, {describe(key), kCrowded});
  if (entries_.find(key, hash) != kNowhere) return refuse(ErrorCode::duplicate_key, {describe(key), ": saved twice"});
  if (holder != kNowhere && !(may_share(key.name) && may_share(entries_.key_at(holder).name))) {
    return refuse(ErrorCode::same_descriptor, {describe(key), ": descriptor ", Decimal(number), " is already held by ",
                                               describe(entries_.key_at(holder))});
  }
  if (entries_.size() == kMaxEntries) {
    return refuse(ErrorCode::too_long,
                  {describe(key), ": the table is full with ", Decimal(std::uint64_t{kMaxEntries}), " entries"});
  }
  return {};
}

/// Puts the entry into the ring of its number, which `holder` is in, or alone into a new one.
void DescriptorTable::join(std::uint32_t position, std::uint32_t holder) {
  Held& joining = entries_.value(position);
  if (holder == kNowhere) {
    joining.next_sharer = joining.previous_sharer = position;
    return;
  }
  std::uint32_t next = entries_.value(holder).next_sharer;
  joining.previous_sharer = holder;
  joining.next_sharer = next;
  entries_.value(holder).next_sharer = position;
  entries_.value(next).previous_sharer = position;
}

/// Takes the entry out of its ring; true when it was alone in it.
bool DescriptorTable::leave(std::uint32_t position) {
  const Held& held = entries_.value(position);
  if (held.next_sharer == position) return true;
  entries_.value(held.previous_sharer).next_sharer = held.next_sharer;
  entries_.value(held.next_sharer).previous_sharer = held.previous_sharer;
  return false;
}

/// Drops the entry; true when it was the last holder of its number.
bool DescriptorTable::drop(std::uint32_t position) {
  std::uint32_t heir = entries_.value(position).next_sharer;
  bool last = leave(position);
  if (entries_.indexed()) {
    auto hash = hash_of_number(entries_.value(position).number);
    if (last) {
      numbers_.erase(hash, position);
    } else if (numbers_.find(hash, kAny) == position) {
      numbers_.replace(hash, position, heir);
    }
  }
  entries_.erase(position);
  if (entries_.compaction_due()) {
    entries_.compact();
    relink();
  }
  ++generation_;
  return last;
}

/// Makes rings and number index anew, for new positions.
void DescriptorTable::relink() {
  numbers_.clear();
  for (std::uint32_t position = entries_.first(); position != kNowhere; position = entries_.next(position)) {
    int number = entries_.value(position).number;
    std::uint32_t holder = holder_of(number);
    if (holder == position) holder = kNowhere;
    join(position, holder);
    if (entries_.indexed() && holder == kNowhere) numbers_.insert(hash_of_number(number), position);
  }
}

void DescriptorTable::close_all() {
  for (std::uint32_t position = entries_.first(); position != kNowhere; position = entries_.next(position)) {
    if (leave(position)) (void)kernel_->close(entries_.value(position).number);
  }
}

}  // namespace vcpr::store
