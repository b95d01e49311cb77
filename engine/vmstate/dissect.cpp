#include "engine/vmstate/dissect.hpp"

#include <string>
#include <unordered_map>

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/host_integer.hpp"
#include "engine/vmstate/main_stream_document.hpp"
#include "engine/vmstate/schema_walk.hpp"
#include "engine/vmstate/sections/ram.hpp"
#include "engine/vmstate/value_text.hpp"

namespace vcpr::vmstate {

namespace {

/// Reports a parsed document. What was parsed is known to be whole, so the reads here cannot fail.
class Dissector {
 public:
  Dissector(std::span<const std::byte> bytes, Observer& observer)
      : bytes_(bytes), in_(bytes), parsed_(parse_main_stream(bytes)), observer_(observer) {}

  Dissection dissect() {
    if (parsed_.parsed_bytes != 0) {
      header();
      configuration(parsed_.document);
      for (const MainRecord& each : parsed_.document.records) record(each);
      if (parsed_.document.is_ended) number("end", 1, Role::marker, name(SectionType::end));
      if (parsed_.document.description) description(*parsed_.document.description);
    }
    if (in_.offset() != bytes_.size()) result_.unread.push_back({in_.offset(), bytes_.size()});
    if (parsed_.error) result_.error = std::move(parsed_.error);
    return std::move(result_);
  }

 private:
  void header() {
    number("magic", 4, Role::magic, "\"QEVM\"");
    number("version", 4, Role::version);
  }

  void configuration(const MainStreamDocument& document) {
    if (document.configuration.empty()) return;
    number("configuration.type", 1, Role::marker, name(SectionType::configuration));
    Configuration configuration;
    (void)observe(kConfiguration, kConfigurationLoadVersion, configuration, in_, DescriptorEncoding::riding,
                  "configuration", observer_);
    ram_.with_addresses = configuration.has_capability(kIgnoreShared);
  }

  void record(const MainRecord& record) {
    const RecordHead& head = record.head;
    path_ = "sections[";
    path_ += Decimal(index_++);
    path_ += ']';
    if (head.type == SectionType::command) return command(head);
    if (head.is_named()) idstr_[head.section_id] = head.idstr;
    path_ += '/';
    path_ += idstr_[head.section_id];
    section_head(head);
    payload(record);
    sub("footer", 1, Role::marker, name(SectionType::footer));
    sub("footer.section_id", 4, Role::section_id);
  }

  void section_head(const RecordHead& head) {
    sub("type", 1, Role::marker, name(head.type));
    sub("section_id", 4, Role::section_id);
    if (!head.is_named()) return;
    sub("idlen", 1, Role::length);
    sub("idstr", head.idstr.size(), Role::text, quoted(head.idstr));
    sub("instance_id", 4, Role::integer);
    sub("version", 4, Role::version);
  }

  void command(const RecordHead& head) {
    sub("type", 1, Role::marker, name(SectionType::command));
    sub("command", 2, Role::integer, name(head.command));
    sub("length", 2, Role::length);
    if (!head.data.empty()) sub("data", head.data.size(), Role::buffer);
  }

  void payload(const MainRecord& record) {
    std::string prefix = path_ + ".";
    if (record.head.type != SectionType::full) {
      (void)read_ram_part(in_, ram_, &observer_, prefix);
      return;
    }
    const DeviceSchema* schema = parsed_.schemas.find(record.head.idstr, record.head.instance_id);
    SchemaWalk walk(record.payload, record.payload_offset, path_, budget_, observer_);
    walk.state(schema->state);
    budget_ = walk.left();
    in_.take(record.payload.size());
    if (walk.reported_bytes() == record.payload.size()) return;
    result_.unread.push_back({record.payload_offset + walk.reported_bytes(), in_.offset()});
    result_.error = refuse_at(ErrorCode::too_long, result_.unread.back().begin, {"too many fields to report"}).error();
  }

  void description(std::string_view text) {
    number("vmdescription.type", 1, Role::marker, name(SectionType::description));
    number("vmdescription.length", 4, Role::length);
    std::string value(Decimal{std::uint64_t{text.size()}});
    value += " bytes of JSON";
    number("vmdescription.text", text.size(), Role::description, value);
  }

  void sub(std::string_view field, std::uint64_t size, Role role, std::string_view value = {}) {
    std::string path = path_;
    path += '.';
    path += field;
    number(path, size, role, value);
  }

  /// The next `size` bytes as one field; a value without words of its own is shown as the number, or the bytes, it is.
  void number(std::string_view path, std::uint64_t size, Role role, std::string_view value = {}) {
    constexpr std::string_view kTypes[] = {"", "uint8", "uint16", "", "uint32"};
    std::uint64_t begin = in_.offset();
    std::span<const std::byte> field(in_.take(size), size);
    bool is_number = role != Role::text && role != Role::buffer && size <= 4;
    std::string shown(value);
    if (value.empty()) {
      shown = is_number ? integer_text(big_endian_at(field.data(), size), size, false) : bytes_text(field);
    }
    observer_.field({.offset = begin,
                     .size = size,
                     .path = path,
                     .role = role,
                     .type = is_number ? kTypes[size] : "buffer",
                     .value = shown});
  }

  std::span<const std::byte> bytes_;
  wire::Reader in_;
  ParsedMainStream parsed_;
  Observer& observer_;
  Dissection result_;
  std::string path_;
  std::uint64_t index_ = 0;
  std::uint64_t budget_ = kMaxFieldsSeen;
  RamContext ram_;
  std::unordered_map<std::uint32_t, std::string_view> idstr_;  ///< by section id
};

}  // namespace

Dissection dissect_main_stream(std::span<const std::byte> bytes, Observer& observer) {
  return Dissector(bytes, observer).dissect();
}

}  // namespace vcpr::vmstate
