#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/main_stream.hpp"

namespace vcpr::vmstate {

namespace {

class MainSaver {
 public:
  MainSaver(const SectionTable& sections, const MainSaveOptions& options, wire::Writer& out)
      : sections_(sections), options_(options), out_(out), described_(options.describe ? &text_ : nullptr) {}

  Expected<void> save(const Configuration& configuration) {
    out_.be32(kMainMagic);
    out_.be32(kMainVersion);
    text_.begin_object();
    if (auto done = save_configuration(configuration); !done) return done;
    if (options_.open_return_path) save_return_path();
    if (auto done = each_iterable(SectionType::start); !done) return done;
    if (options_.switchover_start) command(Command::switchover_start, {});
    if (auto done = each_iterable(SectionType::last_part); !done) return done;
    if (auto done = save_described(); !done) return done;
    type(SectionType::end);
    text_.end_object();
    if (options_.describe) save_description();
    return {};
  }

 private:
  void type(SectionType type) { out_.u8(static_cast<std::uint8_t>(type)); }

  Expected<void> save_configuration(const Configuration& configuration) {
    type(SectionType::configuration);
    text_.begin_object("configuration");
    auto done = vmstate::save(kConfiguration, configuration, out_, {.text = described_});
    text_.end_object();
    return done;
  }

  void command(Command command, std::span<const std::byte> data) {
    type(SectionType::command);
    out_.be16(static_cast<std::uint16_t>(command));
    out_.be16(static_cast<std::uint16_t>(data.size()));
    out_.bytes(data);
  }

  void save_return_path() {
    constexpr std::byte kPing[] = {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};
    command(Command::open_return_path, {});
    command(Command::ping, kPing);
  }

  void begin(const Section& section, SectionType kind) {
    type(kind);
    out_.be32(section.section_id);
    if (kind == SectionType::part || kind == SectionType::last_part) return;
    out_.counted_string(section.idstr);
    out_.be32(section.instance_id);
    out_.be32(section.version);
  }

  Expected<void> end(const Section& section, Expected<void> done) {
    if (!done) {
      done.error().text = section.text() + ": " + done.error().text;
      return done;
    }
    type(SectionType::footer);
    out_.be32(section.section_id);
    return {};
  }

  Expected<void> each_iterable(SectionType kind) {
    for (std::size_t position = 0; position < sections_.size(); ++position) {
      const Section& section = sections_[position];
      if (section.iterable == nullptr) continue;
      begin(section, kind);
      auto done =
          kind == SectionType::start ? section.iterable->save_start(out_) : section.iterable->save_last_part(out_);
      if (auto ended = end(section, std::move(done)); !ended) return ended;
    }
    return {};
  }

  Expected<void> save_described() {
    text_.integer("page_size", options_.page_size);
    text_.begin_array("devices");
    for (const Section* section : sections_.in_order()) {
      begin(*section, SectionType::full);
      if (described_ != nullptr) begin_entry(*section);
      auto done = save_erased(*section->description, section->object, out_, {.text = described_});
      if (described_ != nullptr) text_.end_object();
      if (auto ended = end(*section, std::move(done)); !ended) return ended;
    }
    text_.end_array();
    return {};
  }

  void begin_entry(const Section& section) {
    text_.begin_object();
    text_.string("name", section.idstr);
    text_.integer("instance_id", section.instance_id);
  }

  void save_description() {
    type(SectionType::description);
    out_.be32(static_cast<std::uint32_t>(text_.text().size()));
    out_.text(text_.text());
  }

  const SectionTable& sections_;
  const MainSaveOptions& options_;
  wire::Writer& out_;
  DescriptionText text_;
  DescriptionText* described_;  ///< null: nobody reads it, and of a small state it costs more than the state
};

}  // namespace

Expected<void> save_main_stream(const Configuration& configuration, const SectionTable& sections,
                                const MainSaveOptions& options, wire::Writer& out) {
  return MainSaver(sections, options, out).save(configuration);
}

}  // namespace vcpr::vmstate
