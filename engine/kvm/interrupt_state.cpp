#include "engine/kvm/interrupt_state.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include "engine/kvm/sections/apic.hpp"
#include "engine/kvm/sections/i8259.hpp"
#include "engine/kvm/sections/ioapic.hpp"

namespace vcpr::kvm {

namespace abi = os::abi;
using lifecycle::Mode;

namespace {

constexpr lifecycle::Modes kEveryMode{Mode::normal, Mode::cpr_reboot, Mode::cpr_transfer, Mode::cpr_exec};
constexpr std::uint32_t kPics = 2;

}  // namespace

struct InterruptState::Sections {
  explicit Sections(std::uint32_t vcpus) : apics(vcpus) {
    for (std::uint32_t id = 0; id < vcpus; ++id) apics[id].id = static_cast<std::uint8_t>(id);
    apics[0].apicbase |= kApicBaseBootstrap;
  }

  std::vector<Apic> apics;  ///< by vCPU; never moved
  I8259 pics[kPics];
  Ioapic ioapic;
  std::vector<std::pair<std::string_view, std::uint32_t>> registered;
};

InterruptState::InterruptState(lifecycle::Life& life, Vm& vm)
    : life_(life), vm_(vm), sections_(std::make_unique<Sections>(vm.vcpu_count())) {
  life_.participants.add(*this, lifecycle::Rank::interrupt_controller, kEveryMode);
}

InterruptState::~InterruptState() {
  life_.participants.remove(*this);
  for (const auto& [idstr, instance] : sections_->registered) (void)life_.sections.remove(idstr, instance);
}

template <class T>
Expected<void> InterruptState::register_section(std::uint32_t instance_id, const vmstate::DescriptionOf<T>& description,
                                                T& object) {
  auto done = life_.sections.add(description.name, instance_id, description, object);
  if (done) sections_->registered.emplace_back(description.name, instance_id);
  return done;
}

Expected<void> InterruptState::register_sections() {
  Sections& to = *sections_;
  for (std::uint32_t vcpu = 0; vcpu < to.apics.size(); ++vcpu)
    if (auto done = register_section(vcpu, kApic, to.apics[vcpu]); !done) return done;
  for (std::uint32_t pic = 0; pic < kPics; ++pic)
    if (auto done = register_section(pic, kI8259, to.pics[pic]); !done) return done;
  return register_section(0, kIoapic, to.ioapic);
}

Expected<std::unique_ptr<InterruptState>> InterruptState::attach(lifecycle::Life& life, Vm& vm) {
  std::unique_ptr<InterruptState> state(new InterruptState(life, vm));
  if (auto done = state->register_sections(); !done) return std::unexpected(std::move(done.error()));
  return state;
}

Expected<void> InterruptState::get_chips() {
  abi::kvm_irqchip chip{};
  for (std::uint32_t id = 0; id < kPics; ++id) {
    chip.chip_id = id;
    if (auto done = vm_.get_irqchip(chip); !done) return done;
    read_chip(chip.chip.pic, sections_->pics[id]);
  }
  chip.chip_id = abi::kvm_irqchip_ioapic;
  if (auto done = vm_.get_irqchip(chip); !done) return done;
  read_chip(chip.chip.ioapic, sections_->ioapic);
  return {};
}

Expected<void> InterruptState::let_go(Mode) {
  if (auto done = get_chips(); !done) return done;
  abi::kvm_lapic_state page;
  for (std::uint32_t vcpu = 0; vcpu < sections_->apics.size(); ++vcpu) {
    if (auto done = vm_.get_lapic(vcpu, page); !done) return done;
    read_page(page, sections_->apics[vcpu]);
  }
  return {};
}

Expected<void> InterruptState::check_loaded() {
  for (std::uint32_t vcpu = 0; vcpu < sections_->apics.size(); ++vcpu)
    if (auto good = check(sections_->apics[vcpu], vcpu); !good) return good;
  for (std::uint32_t pic = 0; pic < kPics; ++pic)
    if (auto good = check(sections_->pics[pic], pic); !good) return good;
  return {};
}

Expected<void> InterruptState::set_chips() {
  abi::kvm_irqchip chip{};
  for (std::uint32_t id = 0; id < kPics; ++id) {
    chip.chip_id = id;
    chip.chip.pic = chip_of(sections_->pics[id], id);
    if (auto done = vm_.set_irqchip(chip); !done) return done;
  }
  chip.chip_id = abi::kvm_irqchip_ioapic;
  chip.chip.ioapic = chip_of(sections_->ioapic);
  return vm_.set_irqchip(chip);
}

Expected<void> InterruptState::take_over() {
  for (std::uint32_t vcpu = 0; vcpu < sections_->apics.size(); ++vcpu) {
    abi::kvm_lapic_state page = page_of(sections_->apics[vcpu]);
    if (auto done = vm_.set_lapic(vcpu, page); !done) return done;
  }
  return set_chips();
}

std::uint32_t InterruptState::apic_base(std::uint32_t vcpu) const {
  return sections_->apics[vcpu].apicbase;
}

void InterruptState::set_apic_base(std::uint32_t vcpu, std::uint32_t value) {
  sections_->apics[vcpu].apicbase = value;
}

}  // namespace vcpr::kvm
