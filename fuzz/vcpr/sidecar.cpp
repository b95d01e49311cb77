#include "fuzz/vcpr/sidecar.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "fuzz/vcpr/whole_file.hpp"

namespace vcpr::tool {

namespace {

using Json = nlohmann::json;

template <class Kind>
struct Named {
  std::string_view name;
  Kind kind;
};

constexpr std::array kStreams{Named{"cpr", StreamKind::cpr}, Named{"cprexec", StreamKind::cprexec},
                              Named{"main", StreamKind::main}};
constexpr std::array kKinds{Named{"memfd", RecordedKind::memfd},
                            Named{"file", RecordedKind::file},
                            Named{"eventfd", RecordedKind::eventfd},
                            Named{"chardev", RecordedKind::chardev},
                            Named{"vfio-device", RecordedKind::vfio_device},
                            Named{"socket", RecordedKind::socket},
                            Named{"pipe", RecordedKind::pipe}};
constexpr std::array kModes{Named{"cpr-transfer", 0}, Named{"cpr-exec", 1}, Named{"cpr-reboot", 2}};

/// Takes the fields of one JSON object, each at most once; keeps the first complaint.
class Fields {
 public:
  Fields(const Json& object, std::string where, std::string& complaint)
      : left_(object), where_(std::move(where)), complaint_(complaint) {
    if (!object.is_object()) complain("", "must be an object");
  }

  Json take(const char* name) {
    auto found = left_.is_object() ? left_.find(name) : left_.end();
    if (found == left_.end()) return complain(name, "is missing"), Json();
    Json value = std::move(*found);
    left_.erase(found);
    return value;
  }
  std::string text(const char* name) {
    const Json value = take(name);
    if (!value.is_string()) return complain(name, "must be a string"), std::string();
    return value.get<std::string>();
  }
  template <class Number>
  Number number(const char* name) {
    return checked<Number>(name, take(name));
  }
  std::optional<int> number_or_null(const char* name) {
    const Json value = take(name);
    if (value.is_null()) return std::nullopt;
    return checked<int>(name, value);
  }
  template <class Kind, std::size_t N>
  Kind one_of(const char* name, const std::array<Named<Kind>, N>& kinds) {
    const std::string given = text(name);
    auto found = std::ranges::find(kinds, given, &Named<Kind>::name);
    if (found == kinds.end()) return complain(name, "is none that is known"), Kind{};
    return found->kind;
  }
  void command(const char* name) {
    const Json value = take(name);
    const bool words =
        value.is_array() && std::ranges::all_of(value, [](const Json& word) { return word.is_string(); });
    if (!words && !value.is_null()) complain(name, "must be an array of strings, or null");
  }
  void no_more() {
    if (left_.is_object() && !left_.empty()) complain(left_.begin().key(), "is no field of the schema");
  }
  void complain(const std::string& name, const char* what) {
    if (complaint_.empty()) complaint_ = where_ + (name.empty() ? "" : ": " + name) + " " + what;
  }

 private:
  template <class Number>
  Number checked(const char* name, const Json& value) {
    if (!value.is_number_unsigned()) return complain(name, "must be an integer, not negative"), Number{};
    const auto wide = value.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<Number>::max())) complain(name, "is too large");
    return static_cast<Number>(wide);
  }

  Json left_;
  std::string where_;
  std::string& complaint_;
};

RecordedDescriptor read_descriptor(Fields fields, StreamKind stream) {
  RecordedDescriptor descriptor;
  descriptor.kind = fields.one_of("kind", kKinds);
  descriptor.link = fields.text("link");
  descriptor.flags = fields.number<std::uint32_t>("flags");
  descriptor.size = fields.number<std::uint64_t>("size");
  if (stream == StreamKind::cpr) {
    descriptor.stream_offset = fields.number<std::uint64_t>("stream_offset");
    descriptor.mode = fields.number<std::uint32_t>("mode");
    descriptor.inode = fields.number<std::uint64_t>("inode");
    descriptor.seals = fields.number_or_null("seals");
  } else {
    descriptor.fd = fields.number<int>("fd");
    descriptor.position = fields.number<std::uint64_t>("position");
  }
  fields.no_more();
  return descriptor;
}

void read_descriptors(const Json& list, Sidecar& sidecar, std::string& complaint) {
  if (!list.is_array() || (sidecar.stream == StreamKind::main && !list.empty())) {
    complaint = "descriptors must be an array, and empty for a main stream";
    return;
  }
  for (std::size_t i = 0; i < list.size() && complaint.empty(); ++i) {
    const std::string where = "descriptors[" + std::to_string(i) + "]";
    sidecar.descriptors.push_back(read_descriptor(Fields(list[i], where, complaint), sidecar.stream));
  }
}

void read_environment(const Json& variables, Sidecar& sidecar, std::string& complaint) {
  for (const auto& [name, value] : variables.items()) {
    if (!value.is_string()) complaint = "environment: " + name + " must be a string";
    if (complaint.empty()) sidecar.environment.emplace_back(name, value.get<std::string>());
  }
}

Sidecar read(const Json& json, std::string& complaint) {
  Sidecar sidecar;
  Fields fields(json, "sidecar", complaint);
  sidecar.name = fields.text("name");
  sidecar.stream = fields.one_of("stream", kStreams);
  fields.one_of("mode", kModes);
  sidecar.bytes = fields.number<std::uint64_t>("bytes");
  fields.text("qemu");
  fields.command("source_command");
  fields.command("target_command");
  const Json descriptors = fields.take("descriptors");
  if (complaint.empty()) read_descriptors(descriptors, sidecar, complaint);
  if (sidecar.stream == StreamKind::cprexec) {
    sidecar.state_fd = fields.number<int>("state_fd");
    const Json environment = fields.take("environment");
    if (!environment.is_object()) fields.complain("environment", "must be an object");
    if (complaint.empty()) read_environment(environment, sidecar, complaint);
  }
  fields.no_more();
  return sidecar;
}

}  // namespace

std::expected<Sidecar, std::string> read_sidecar(const std::filesystem::path& path) {
  auto text = read_whole_file(path);
  if (!text) return std::unexpected(text.error());
  const Json json = Json::parse(*text, nullptr, false);
  if (json.is_discarded()) return std::unexpected(path.string() + ": not JSON");
  std::string complaint;
  Sidecar sidecar = read(json, complaint);
  if (!complaint.empty()) return std::unexpected(path.string() + ": " + complaint);
  return sidecar;
}

std::filesystem::path sidecar_of(std::filesystem::path stream) {
  return stream.replace_extension(".json");
}

}  // namespace vcpr::tool
