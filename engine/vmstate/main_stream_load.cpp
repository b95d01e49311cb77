#include <algorithm>

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/main_stream.hpp"
#include "engine/vmstate/main_stream_reader.hpp"
#include "engine/vmstate/vmdescription.hpp"

namespace vcpr::vmstate {

namespace {

class MainLoader {
 public:
  MainLoader(const Configuration& ours, const SectionTable& sections, wire::Reader& in)
      : ours_(ours), sections_(sections), in_(in), loaded_(sections.size()) {
    ids_.reserve(sections.size());
    seen_.reserve(sections.size());
  }

  Expected<MainStreamFacts> load() {
    if (auto done = read_main_header(in_); !done) return std::unexpected(std::move(done.error()));
    if (auto done = load_configuration(); !done) return std::unexpected(std::move(done.error()));
    for (std::size_t records = 0;; ++records) {
      if (records == kMaxRecords) return refuse_at(ErrorCode::too_long, in_.offset(), {"too many sections"});
      auto head = read_record_head(in_);
      if (!head) return std::unexpected(std::move(head.error()));
      if (head->type == SectionType::end) break;
      if (auto done = record(*head); !done) return std::unexpected(std::move(done.error()));
    }
    if (auto done = check_complete(); !done) return std::unexpected(std::move(done.error()));
    if (auto done = load_description(); !done) return std::unexpected(std::move(done.error()));
    if (auto done = expect_end(in_); !done) return std::unexpected(std::move(done.error()));
    return std::move(facts_);
  }

 private:
  /// A section by the number that the sender gave it.
  struct Numbered {
    std::uint32_t id = 0;
    std::uint32_t version = 0;
    const Section* section = nullptr;
  };
  /// What has arrived of a registered section.
  struct Arrival {
    bool begun = false;
    bool complete = false;
  };
  /// A FULL section as it was read, for the comparison with the vmdescription.
  struct Seen {
    const Section* section = nullptr;
    std::uint32_t version = 0;
    std::uint64_t size = 0;
  };

  Expected<void> load_configuration() {
    auto done = read_configuration(in_, facts_.configuration);
    if (!done) return done;
    done = check_layout(facts_.configuration);
    if (done) done = agree(ours_, facts_.configuration);
    if (!done) done.error().offset = kMainHeaderBytes;
    return done;
  }

  Expected<void> record(const RecordHead& head) {
    switch (head.type) {
      case SectionType::command:
        return command(head);
      case SectionType::start:
      case SectionType::full:
        return begin(head);
      case SectionType::part:
      case SectionType::last_part:
        return go_on(head);
      default:
        return refuse_at(ErrorCode::unknown_section, head.offset, {"a ", name(head.type), " section here"});
    }
  }

  Expected<void> command(const RecordHead& head) {
    switch (head.command) {
      case Command::open_return_path:
        facts_.opens_return_path = true;
        return {};
      case Command::ping:
        facts_.pings.push_back(head.ping);
        return {};
      case Command::switchover_start:
        facts_.has_switchover_start = true;
        return {};
      default:
        return refuse_at(ErrorCode::bad_command, head.offset, {name(head.command), " has no place in CPR"});
    }
  }

  Expected<void> begin(const RecordHead& head) {
    const Section* section = sections_.find(head.idstr, head.instance_id);
    bool in_parts = head.type == SectionType::start;
    if (section == nullptr || in_parts != (section->iterable != nullptr)) {
      return refuse_at(ErrorCode::unknown_section, head.offset,
                       {"nothing here takes the ", name(head.type), " section ", head.text()});
    }
    Arrival& arrival = arrival_of(*section);
    if (arrival.begun) return refuse_at(ErrorCode::duplicate_section, head.offset, {head.text(), " came before"});
    const auto numbered = place_of(head.section_id);
    if (numbered != ids_.end() && numbered->id == head.section_id) {
      return refuse_at(ErrorCode::duplicate_section, head.offset,
                       {head.text(), ": section id ", Decimal(head.section_id), " is taken"});
    }
    if (head.version > section->version) {
      return refuse_at(
          ErrorCode::bad_version, head.offset,
          {head.text(), ": version ", Decimal(head.version), " is newer than ", Decimal(section->version)});
    }
    ids_.insert(numbered, {head.section_id, head.version, section});
    arrival = {.begun = true, .complete = !in_parts};
    return in_parts ? load_part(*section, head, head.version) : load_full(*section, head);
  }

  /// Of the first that is not below `id`.
  std::vector<Numbered>::iterator place_of(std::uint32_t id) {
    return std::ranges::lower_bound(ids_, id, {}, &Numbered::id);
  }

  Arrival& arrival_of(const Section& section) { return loaded_[sections_.position_of(section)]; }

  Expected<void> go_on(const RecordHead& head) {
    const auto known = place_of(head.section_id);
    bool open = known != ids_.end() && known->id == head.section_id && !arrival_of(*known->section).complete;
    if (!open) {
      return refuse_at(ErrorCode::unknown_section, head.offset, {"no open section has id ", Decimal(head.section_id)});
    }
    arrival_of(*known->section).complete = head.type == SectionType::last_part;
    return load_part(*known->section, head, known->version);
  }

  Expected<void> load_part(const Section& section, const RecordHead& head, std::uint32_t version) {
    return closed(section, head, section.iterable->load_part(in_, version));
  }

  Expected<void> load_full(const Section& section, const RecordHead& head) {
    std::uint64_t begin = in_.offset();
    auto done = load_erased(*section.description, head.version, section.object, in_, {});
    seen_.push_back({&section, head.version, in_.offset() - begin});
    return closed(section, head, std::move(done));
  }

  Expected<void> closed(const Section& section, const RecordHead& head, Expected<void> done) {
    if (!done) {
      done.error().text = section.text() + ": " + done.error().text;
      return done;
    }
    return read_footer(in_, head);
  }

  Expected<void> check_complete() {
    for (std::size_t position = 0; position < loaded_.size(); ++position) {
      if (loaded_[position].complete) continue;
      return refuse_at(ErrorCode::missing_section, in_.offset() - 1,
                       {sections_[position].text(), loaded_[position].begun ? " has no END" : " did not come"});
    }
    return {};
  }

  Expected<void> load_description() {
    if (in_.at_end()) return {};
    auto text = read_description_text(in_);
    if (!text) return std::unexpected(std::move(text.error()));
    std::uint64_t begin = in_.offset() - text->size();
    auto description = parse_vmdescription(*text);
    if (!description) {
      description.error().offset = begin + description.error().offset.value_or(0);
      return std::unexpected(std::move(description.error()));
    }
    facts_.is_described = true;
    auto differ = [begin](std::string_view text_of) {
      return refuse_at(ErrorCode::bad_description, begin, {"it does not describe ", text_of, " as it came"});
    };
    if (description->devices.size() != seen_.size()) return differ("the sections");
    for (std::size_t index = 0; index < seen_.size(); ++index) {
      if (!describes(description->devices[index], seen_[index])) return differ(seen_[index].section->text());
    }
    return {};
  }

  static bool describes(const DeviceSchema& device, const Seen& seen) {
    return device.name == seen.section->idstr && device.instance_id == seen.section->instance_id &&
           device.is_described && device.state.version == seen.version && device.state.size == seen.size;
  }

  const Configuration& ours_;
  const SectionTable& sections_;
  wire::Reader& in_;
  MainStreamFacts facts_;
  std::vector<Arrival> loaded_;  ///< by position in our table
  std::vector<Numbered> ids_;    ///< sorted
  std::vector<Seen> seen_;
};

}  // namespace

Expected<MainStreamFacts> load_main_stream(const Configuration& ours, const SectionTable& sections, wire::Reader& in) {
  return MainLoader(ours, sections, in).load();
}

}  // namespace vcpr::vmstate
