#include "engine/store/cpr_state_description.hpp"

#include "engine/os/abi.hpp"

namespace vcpr::store {

namespace {

/// Bytes of an element after its name.
constexpr std::uint64_t kEntryTailRiding = 4 + 1;
constexpr std::uint64_t kEntryTailNumber = 4 + 4;
constexpr std::uint64_t kRecordTail = 4 + 4 + 4;

Expected<void> check_open(os::Kernel& kernel, const EntryOnWire& entry) {
  os::Result<int> flags = kernel.fcntl(entry.fd.number, os::abi::f_getfd, 0);
  if (flags) return {};
  Decimal number(entry.fd.number);
  if (flags.error() != os::Errno::ebadf) return refuse_os(flags.error(), {"fcntl of descriptor ", number});
  return refuse(ErrorCode::bad_descriptor, {describe(entry.key), ": descriptor ", number, " is not open"});
}

/// Tells where the entry is that a refused one clashes with.
Error with_earlier(Error error, const EntryList& list, Key refused, int number) {
  Key earlier = refused;
  if (error.code == ErrorCode::same_descriptor) {
    earlier = list.table->find_number(number)->key;
  } else if (error.code != ErrorCode::duplicate_key) {
    return error;
  }
  std::uint64_t at =
      list.finder().find([&](std::string_view name, std::int32_t id) { return Key{name, id} == earlier; });
  error.text += ", first at byte ";
  error.text += std::string_view(Decimal(at));
  return error;
}

/// An inherited number is ours only if it is open.
Expected<void> adopt(EntryList& list, const EntryOnWire& entry) {
  if (Expected<void> open = check_open(*list.kernel, entry); !open) return open;
  return list.table->adopt(entry.key, *list.kernel, entry.fd.number);
}

}  // namespace

ElementFinder EntryList::finder() const {
  bool riding = encoding == vmstate::DescriptorEncoding::riding;
  return {bytes, begin, riding ? kEntryTailRiding : kEntryTailNumber};
}

ElementFinder RecordList::finder() const {
  constexpr std::uint64_t kSubsectionHeader = 1 + 1 + kVfioDevicesName.size() + 4;
  return {before->bytes, before->finder().end() + kSubsectionHeader, kRecordTail};
}

EntryOnWire EntryOperations::at(const EntryList& list, std::uint64_t) {
  Entry entry = **list.next;
  ++*list.next;
  return {entry.key, {.received = {}, .number = entry.number}};
}

Expected<void> EntryOperations::append(EntryList& list, EntryOnWire&& entry) {
  Expected<void> kept = list.encoding == vmstate::DescriptorEncoding::riding
                            ? list.table->save(entry.key, std::move(entry.fd.received))
                            : adopt(list, entry);
  if (!kept) return std::unexpected(with_earlier(std::move(kept.error()), list, entry.key, entry.fd.number));
  return kept;
}

RecordOnWire RecordOperations::at(const RecordList& list, std::uint64_t) {
  DeviceRecords::Record record = **list.next;
  ++*list.next;
  return {record.device, record.ids};
}

Expected<void> RecordOperations::append(RecordList& list, RecordOnWire&& record) {
  Expected<void> added = list.records->add(record.name, record.ids);
  if (added || added.error().code != ErrorCode::duplicate_key) return added;
  std::uint64_t at = list.finder().find([&](std::string_view name, std::int32_t) { return name == record.name; });
  added.error().text += ", first at byte ";
  added.error().text += std::string_view(Decimal(at));
  return added;
}

StateOnWire StateOnWire::saving(const CprState& state) {
  StateOnWire lists;
  lists.fds.next = state.descriptors.begin();
  lists.fds.count = state.descriptors.size();
  lists.devices.next = state.devices.begin();
  lists.devices.count = state.devices.size();
  return lists;
}

StateOnWire& StateOnWire::loading_into(CprState& state, os::Kernel& kernel, vmstate::DescriptorEncoding encoding,
                                       std::span<const std::byte> bytes, std::uint64_t begin) {
  fds.kernel = &kernel;
  fds.table = &state.descriptors;
  fds.encoding = encoding;
  fds.bytes = bytes;
  fds.begin = begin;
  devices.records = &state.devices;
  devices.before = &fds;
  return *this;
}

}  // namespace vcpr::store
