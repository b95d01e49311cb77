#include "engine/vmstate/main_stream_reader.hpp"

#include "engine/vmstate/codec.hpp"
#include "engine/vmstate/host_integer.hpp"
#include "engine/vmstate/json.hpp"

namespace vcpr::vmstate {

namespace {

/// Chains reads into one result: after the first failure the rest does nothing.
class Fields {
 public:
  explicit Fields(wire::Reader& in) : in_(in) {}

  void be16(std::uint16_t& value, std::string_view what) { keep(value, &wire::Reader::be16, what); }
  void be32(std::uint32_t& value, std::string_view what) { keep(value, &wire::Reader::be32, what); }
  void text(std::string_view& value, std::string_view what) { keep(value, &wire::Reader::counted_string, what); }
  Expected<void>& done() { return done_; }

 private:
  template <class T>
  void keep(T& value, Expected<T> (wire::Reader::*read)(std::string_view), std::string_view what) {
    if (!done_) return;
    auto got = (in_.*read)(what);
    if (got) {
      value = *got;
    } else {
      done_ = std::unexpected(std::move(got.error()));
    }
  }

  wire::Reader& in_;
  Expected<void> done_;
};

Expected<void> read_command(wire::Reader& in, RecordHead& head) {
  std::uint16_t number = 0;
  std::uint16_t length = 0;
  Fields fields(in);
  fields.be16(number, "command");
  fields.be16(length, "command length");
  if (!fields.done()) return fields.done();
  head.command = static_cast<Command>(number);
  if (name(head.command).empty()) {
    return refuse_at(ErrorCode::bad_command, head.offset + 1,
                     {"no command has number ", Decimal(std::uint32_t{number})});
  }
  auto wanted = fixed_length(head.command);
  if (wanted && *wanted != length) {
    return refuse_at(
        ErrorCode::bad_command, head.offset + 3,
        {name(head.command), " has ", Decimal(std::uint32_t{*wanted}), " bytes, not ", Decimal(std::uint32_t{length})});
  }
  auto data = in.bytes(length, "command data");
  if (!data) return std::unexpected(std::move(data.error()));
  head.data = *data;
  if (head.command == Command::ping) head.ping = static_cast<std::uint32_t>(big_endian_at(data->data(), 4));
  return {};
}

Expected<void> read_section_head(wire::Reader& in, RecordHead& head) {
  Fields fields(in);
  fields.be32(head.section_id, "section id");
  if (!head.is_named()) return fields.done();
  fields.text(head.idstr, "section name");
  if (fields.done() && head.idstr.empty()) {
    return refuse_at(ErrorCode::bad_text, in.offset() - 1, {"a section without a name"});
  }
  fields.be32(head.instance_id, "instance id");
  fields.be32(head.version, "section version");
  return fields.done();
}

}  // namespace

std::string RecordHead::text() const {
  std::string text = quoted(idstr);
  text += " instance ";
  text += Decimal(instance_id);
  return text;
}

Expected<void> read_main_header(wire::Reader& in) {
  std::uint64_t begin = in.offset();
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  Fields fields(in);
  fields.be32(magic, "magic");
  if (fields.done() && magic != kMainMagic) {
    return refuse_at(ErrorCode::bad_magic, begin, {"this is not a migration stream"});
  }
  fields.be32(version, "version");
  if (fields.done() && version != kMainVersion) {
    return refuse_at(ErrorCode::bad_version, begin + 4, {"stream version ", Decimal(version), ", not 3"});
  }
  return fields.done();
}

Expected<void> read_configuration(wire::Reader& in, Configuration& configuration) {
  std::uint64_t begin = in.offset();
  auto type = in.u8("configuration");
  if (!type) return std::unexpected(std::move(type.error()));
  if (*type != static_cast<std::uint8_t>(SectionType::configuration)) {
    return refuse_at(ErrorCode::unknown_section, begin,
                     {"byte ", Decimal(std::uint32_t{*type}), " where the configuration begins"});
  }
  auto done = load(kConfiguration, kConfigurationLoadVersion, configuration, in);
  if (!done) done.error().text = "configuration: " + done.error().text;
  return done;
}

Expected<RecordHead> read_record_head(wire::Reader& in) {
  RecordHead head;
  head.offset = in.offset();
  auto type = in.u8("section type");
  if (!type) return std::unexpected(std::move(type.error()));
  head.type = static_cast<SectionType>(*type);
  Expected<void> done;
  switch (head.type) {
    case SectionType::end:
      return head;
    case SectionType::command:
      done = read_command(in, head);
      break;
    case SectionType::start:
    case SectionType::part:
    case SectionType::last_part:
    case SectionType::full:
      done = read_section_head(in, head);
      break;
    default:
      return refuse_at(ErrorCode::unknown_section, head.offset,
                       {"byte ", Decimal(std::uint32_t{*type}), " opens no section"});
  }
  if (!done) return std::unexpected(std::move(done.error()));
  return head;
}

Expected<void> read_footer(wire::Reader& in, const RecordHead& head) {
  std::uint64_t begin = in.offset();
  auto type = in.u8("footer");
  if (!type) return std::unexpected(std::move(type.error()));
  if (*type != static_cast<std::uint8_t>(SectionType::footer)) {
    return refuse_at(
        ErrorCode::bad_footer, begin,
        {"byte ", Decimal(std::uint32_t{*type}), " where the footer of section ", Decimal(head.section_id), " begins"});
  }
  auto id = in.be32("footer");
  if (!id) return std::unexpected(std::move(id.error()));
  if (*id == head.section_id) return {};
  return refuse_at(ErrorCode::bad_footer, begin + 1,
                   {"the footer of section ", Decimal(*id), " ends section ", Decimal(head.section_id)});
}

Expected<std::string_view> read_description_text(wire::Reader& in) {
  std::uint64_t begin = in.offset();
  auto type = in.u8("vmdescription");
  if (!type) return std::unexpected(std::move(type.error()));
  if (*type != static_cast<std::uint8_t>(SectionType::description)) {
    return refuse_at(ErrorCode::trailing_bytes, begin,
                     {"byte ", Decimal(std::uint32_t{*type}), " after the end of the sections"});
  }
  auto length = in.be32("vmdescription length");
  if (!length) return std::unexpected(std::move(length.error()));
  if (*length > kMaxJsonBytes) {
    return refuse_at(ErrorCode::too_long, begin + 1, {"a vmdescription of ", Decimal(*length), " bytes"});
  }
  auto text = in.bytes(*length, "vmdescription");
  if (!text) return std::unexpected(std::move(text.error()));
  return std::string_view(reinterpret_cast<const char*>(text->data()), text->size());
}

}  // namespace vcpr::vmstate
