#include "properties/generators.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "properties/machine/fault.hpp"
#include "properties/scenario/objects.hpp"

namespace vcpr::scenario {

void showValue(const Scenario& scenario, std::ostream& out) {
  out << "\n" << print(scenario);
}

}  // namespace vcpr::scenario

namespace vcpr::properties {

using namespace scenario;

namespace {

template <class Number>
rc::Gen<Number> range(Number low, Number high) {
  return rc::gen::inRange<Number>(low, static_cast<Number>(high + 1));
}

rc::Gen<Name> any_name() {
  auto families = rc::gen::weightedElement<NameKind>({{6, NameKind::interrupt},
                                                      {4, NameKind::ram},
                                                      {3, NameKind::container},
                                                      {2, NameKind::vfio_group},
                                                      {2, NameKind::device},
                                                      {2, NameKind::kvm_interrupt},
                                                      {1, NameKind::rom},
                                                      {1, NameKind::intx_interrupt},
                                                      {1, NameKind::intx_unmask},
                                                      {1, NameKind::err_notifier},
                                                      {1, NameKind::req_notifier},
                                                      {1, NameKind::iommufd},
                                                      {1, NameKind::empty},
                                                      {1, NameKind::long_text}});
  return rc::gen::build<Name>(rc::gen::set(&Name::kind, families),
                              rc::gen::set(&Name::index, range<std::uint8_t>(0, 7)),
                              rc::gen::set(&Name::length, range<std::uint16_t>(1, kMaxLongName)));
}

rc::Gen<Entry> any_entry() {
  auto objects = rc::gen::map(range<std::uint8_t>(0, kObjects - 1), [](auto n) { return static_cast<Object>(n); });
  return rc::gen::build<Entry>(
      rc::gen::set(&Entry::object, objects), rc::gen::set(&Entry::name, any_name()),
      rc::gen::set(&Entry::id, rc::gen::oneOf(range<std::int32_t>(0, 5), rc::gen::arbitrary<std::int32_t>())),
      rc::gen::set(&Entry::value, range<std::uint32_t>(0, 1u << 20)),
      rc::gen::set(&Entry::offset, range<std::uint32_t>(0, 1u << 20)),
      rc::gen::set(&Entry::flags, range<std::uint8_t>(0, kAllFlags)),
      rc::gen::set(&Entry::seals, range<std::uint8_t>(0, kAllSeals)));
}

rc::Gen<Device> any_device() {
  return rc::gen::build<Device>(rc::gen::set(&Device::index, range<std::uint8_t>(0, 7)), rc::gen::set(&Device::devid),
                                rc::gen::set(&Device::ioas_id), rc::gen::set(&Device::hwpt_id));
}

rc::Gen<Event> any_event() {
  std::vector<Action> all;
  for (std::uint8_t action = 1; action < kActions; ++action) all.push_back(static_cast<Action>(action));
  return rc::gen::oneOf(any_fault(), event_of(all));
}

/// Settings and lists; what the lists hold is the caller's.
rc::Gen<Scenario> scenario_of(rc::Gen<std::vector<Entry>> entries, rc::Gen<std::vector<Device>> devices) {
  auto modes = rc::gen::element(Mode::transfer, Mode::transfer_pair, Mode::exec);
  auto accepts = rc::gen::element(Accept::current, Accept::qemu_10_0, Accept::stub);
  return rc::gen::build<Scenario>(rc::gen::set(&Scenario::mode, modes), rc::gen::set(&Scenario::accept, accepts),
                                  rc::gen::set(&Scenario::handovers, range<std::uint8_t>(1, kMaxHandovers)),
                                  rc::gen::set(&Scenario::socket_buffer, range<std::uint32_t>(256, 212992)),
                                  rc::gen::set(&Scenario::turns), rc::gen::set(&Scenario::entries, std::move(entries)),
                                  rc::gen::set(&Scenario::devices, std::move(devices)));
}

/// Shrinks as the model does, not field by field: every candidate is a scenario that can be.
template <class Repair>
rc::Gen<Scenario> on_the_model(rc::Gen<Scenario> raw, Repair repair) {
  auto normal = rc::gen::map(rc::gen::noShrink(std::move(raw)), [repair](Scenario scenario) {
    normalise(scenario);
    repair(scenario);
    return scenario;
  });
  return rc::gen::shrink(normal,
                         [](const Scenario& scenario) { return rc::seq::fromContainer(shrink_candidates(scenario)); });
}

/// What the family must be; a table then accepts it and a new process finds it right.
Object right_object(const Entry& entry) {
  if (entry.name.kind == NameKind::container) return Object::vfio_container;
  if (entry.object == Object::same_as) return Object::null_device;
  if (kind_fits(entry.object, entry.name.kind)) return entry.object;
  return entry.name.kind == NameKind::vfio_group ? Object::vfio_group : Object::eventfd;
}

void make_sound(Scenario& scenario) {
  std::set<std::pair<std::string, std::int32_t>> keys;
  std::optional<std::uint32_t> container;
  std::vector<Entry> entries;
  for (Entry entry : scenario.entries) {
    bool nameless = entry.name.kind == NameKind::empty || entry.name.length > 1023;
    if (nameless || !keys.emplace(text(entry.name), entry.id).second) continue;
    bool shares = entry.name.kind == NameKind::container && container && entry.object == Object::same_as;
    entry.object = shares ? Object::same_as : right_object(entry);
    if (shares) entry.value = *container;
    if (entry.name.kind == NameKind::container && !container) container = static_cast<std::uint32_t>(entries.size());
    entries.push_back(entry);
  }
  scenario.entries = std::move(entries);
  std::set<std::uint8_t> devices;
  std::erase_if(scenario.devices,
                [&](const Device& device) { return !record_fits(device) || !devices.insert(device.index).second; });
  normalise(scenario);
}

/// Fault points of the calls that a handover makes.
std::vector<std::uint32_t> likely_faults() {
  using machine::Call;
  constexpr std::array kCalls{Call::fcntl,   Call::read, Call::write,   Call::pread,        Call::pwrite,
                              Call::socket,  Call::bind, Call::accept4, Call::connect,      Call::sendmsg,
                              Call::recvmsg, Call::poll, Call::setenv,  Call::memfd_create, Call::execve};
  std::vector<std::uint32_t> points;
  for (const machine::FaultRule& rule : machine::fault_table()) {
    if (std::ranges::find(kCalls, rule.call) != kCalls.end()) points.push_back(static_cast<std::uint32_t>(rule.point));
  }
  return points;
}

}  // namespace

rc::Gen<Scenario> sound_scenario() {
  auto entries = rc::gen::container<std::vector<Entry>>(any_entry());
  auto devices = rc::gen::container<std::vector<Device>>(any_device());
  return on_the_model(scenario_of(entries, devices), make_sound);
}

rc::Gen<Scenario> any_scenario() {
  auto base = scenario_of(rc::gen::container<std::vector<Entry>>(any_entry()),
                          rc::gen::container<std::vector<Device>>(any_device()));
  auto events = rc::gen::resize(10, rc::gen::container<std::vector<Event>>(any_event()));
  auto claims = rc::gen::container<std::vector<std::uint16_t>>(rc::gen::arbitrary<std::uint16_t>());
  auto rest = rc::gen::tuple(base, events, claims, rc::gen::arbitrary<bool>(), range<std::uint16_t>(8, 150),
                             range<std::uint16_t>(1, 6000));
  auto whole = rc::gen::map(rest, [](auto parts) {
    auto& [scenario, some_events, some_claims, listed, limit, timeout] = parts;
    scenario.events = some_events;
    scenario.claims = some_claims;
    scenario.claiming = listed ? Claiming::listed : Claiming::all;
    if (limit < 40) scenario.descriptor_limit = limit;
    normalise(scenario);
    if (limit % 2 == 0) make_sound(scenario);  // or hardly any table would get far
    scenario.transfer_timeout = scenario.hang_up_timeout = timeout;
    return scenario;
  });
  return on_the_model(whole, [](Scenario&) {});
}

/// A handover of a few entries makes about forty calls.
static rc::Gen<std::uint32_t> likely_call() {
  return rc::gen::weightedOneOf<std::uint32_t>({{6, range<std::uint32_t>(0, 40)}, {1, range<std::uint32_t>(0, 300)}});
}

rc::Gen<Event> event_of(std::vector<Action> actions) {
  return rc::gen::build<Event>(rc::gen::set(&Event::action, rc::gen::elementOf(actions)),
                               rc::gen::set(&Event::call, likely_call()),
                               rc::gen::set(&Event::operand, range<std::uint32_t>(0, 40'000'000)));
}

rc::Gen<Event> any_fault() {
  return rc::gen::build<Event>(rc::gen::set(&Event::call, likely_call()),
                               rc::gen::set(&Event::operand, rc::gen::elementOf(likely_faults())),
                               rc::gen::set(&Event::times, range<std::uint8_t>(1, 20)));
}

}  // namespace vcpr::properties
