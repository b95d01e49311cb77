#include "engine/vmstate/main_stream_document.hpp"

#include <unordered_map>

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/sections/ram.hpp"
#include "engine/wire/writer.hpp"

namespace vcpr::vmstate {

namespace {

class DocumentParser {
 public:
  explicit DocumentParser(std::span<const std::byte> bytes) : bytes_(bytes), in_(bytes) {
    result_.schemas = SectionSchemas(bytes);
  }

  ParsedMainStream parse() {
    if (auto done = parse_stream(); !done) result_.error = std::move(done.error());
    return std::move(result_);
  }

 private:
  Expected<void> parse_stream() {
    if (auto done = read_main_header(in_); !done) return done;
    keep();
    if (auto done = parse_configuration(); !done) return done;
    while (!result_.document.is_ended) {
      if (auto done = parse_record(); !done) return done;
      keep();
    }
    return parse_description();
  }

  void keep() { result_.parsed_bytes = in_.offset(); }

  Expected<void> parse_configuration() {
    Configuration configuration;
    if (auto done = read_configuration(in_, configuration); !done) return done;
    ram_.with_addresses = configuration.has_capability(kIgnoreShared);
    result_.document.configuration = bytes_.subspan(kMainHeaderBytes + 1, in_.offset() - kMainHeaderBytes - 1);
    keep();
    auto known = check_layout(configuration);
    if (!known) known.error().offset = in_.offset();
    return known;
  }

  Expected<void> parse_record() {
    if (result_.document.records.size() == kMaxRecords) {
      return refuse_at(ErrorCode::too_long, in_.offset(), {"too many sections"});
    }
    auto head = read_record_head(in_);
    if (!head) return std::unexpected(std::move(head.error()));
    result_.document.is_ended = head->type == SectionType::end;
    if (result_.document.is_ended) return {};
    MainRecord record{.head = *head, .payload = {}, .payload_offset = in_.offset()};
    if (head->is_section()) {
      if (auto done = skip_payload(*head); !done) return done;
      record.payload = bytes_.subspan(record.payload_offset, in_.offset() - record.payload_offset);
      if (auto done = read_footer(in_, *head); !done) return done;
    }
    result_.document.records.push_back(record);
    return {};
  }

  Expected<void> skip_payload(const RecordHead& head) {
    if (head.type == SectionType::full) return skip_full(head);
    if (head.type == SectionType::start) in_parts_.insert_or_assign(head.section_id, head.idstr);
    auto known = in_parts_.find(head.section_id);
    if (known == in_parts_.end() || known->second != "ram") {
      return refuse_at(ErrorCode::unknown_section, head.offset,
                       {"no way to tell where this part of section ", Decimal(head.section_id), " ends"});
    }
    auto part = read_ram_part(in_, ram_);
    if (!part) return std::unexpected(std::move(part.error()));
    return {};
  }

  Expected<void> skip_full(const RecordHead& head) {
    const DeviceSchema* schema = result_.schemas.find(head.idstr, head.instance_id);
    if (schema == nullptr) {
      return refuse_at(ErrorCode::bad_description, head.offset, {"no vmdescription of section ", head.text()});
    }
    auto payload = in_.bytes(schema->state.size, head.idstr);
    if (!payload) return std::unexpected(std::move(payload.error()));
    return {};
  }

  Expected<void> parse_description() {
    if (in_.at_end()) return {};
    auto text = read_description_text(in_);
    if (!text) return std::unexpected(std::move(text.error()));
    if (!result_.schemas.has_read(*text)) {
      auto schema = parse_vmdescription(*text);
      if (!schema) schema.error().offset = in_.offset() - text->size() + schema.error().offset.value_or(0);
      if (!schema) return std::unexpected(std::move(schema.error()));
    }
    result_.document.description = *text;
    keep();
    return expect_end(in_);
  }

  std::span<const std::byte> bytes_;
  wire::Reader in_;
  ParsedMainStream result_;
  RamContext ram_;
  std::unordered_map<std::uint32_t, std::string_view> in_parts_;  ///< idstr by section id
};

void encode_record(const MainRecord& record, wire::Writer& out) {
  const RecordHead& head = record.head;
  out.u8(static_cast<std::uint8_t>(head.type));
  if (head.type == SectionType::command) {
    out.be16(static_cast<std::uint16_t>(head.command));
    out.be16(static_cast<std::uint16_t>(head.data.size()));
    return out.bytes(head.data);
  }
  out.be32(head.section_id);
  if (head.is_named()) {
    out.counted_string(head.idstr);
    out.be32(head.instance_id);
    out.be32(head.version);
  }
  out.bytes(record.payload);
  out.u8(static_cast<std::uint8_t>(SectionType::footer));
  out.be32(head.section_id);
}

}  // namespace

ParsedMainStream parse_main_stream(std::span<const std::byte> bytes) {
  return DocumentParser(bytes).parse();
}

std::vector<std::byte> encode_main_stream(const MainStreamDocument& document) {
  wire::Outbox outbox;
  wire::Writer out(outbox);
  out.be32(kMainMagic);
  out.be32(kMainVersion);
  out.u8(static_cast<std::uint8_t>(SectionType::configuration));
  out.bytes(document.configuration);
  for (const MainRecord& record : document.records) encode_record(record, out);
  if (document.is_ended) out.u8(static_cast<std::uint8_t>(SectionType::end));
  if (document.description) {
    out.u8(static_cast<std::uint8_t>(SectionType::description));
    out.be32(static_cast<std::uint32_t>(document.description->size()));
    out.text(*document.description);
  }
  return std::move(outbox.bytes);
}

}  // namespace vcpr::vmstate
