// vcpr dissect: every field of a stream with offset, size, name and value.
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <map>
#include <nlohmann/json.hpp>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/recorded_stream.hpp"

namespace vcpr::tool {

namespace {

const std::map<std::string, streams::StreamKind> kKinds = {{"transfer", streams::StreamKind::transfer},
                                                           {"exec", streams::StreamKind::exec},
                                                           {"main", streams::StreamKind::main}};

struct Options {
  std::string file;
  std::optional<streams::StreamKind> kind;
  bool json = false;
};

class Columns final : public vmstate::Observer {
 public:
  void field(const vmstate::FieldSeen& seen) override {
    fmt::print("{:>8} {:>7}  {:<17} {:<14} {} = {}\n", seen.offset, seen.size, name(seen.role), seen.type, seen.path,
               seen.value);
    understood += seen.size;
  }
  std::uint64_t understood = 0;
};

class Json final : public vmstate::Observer {
 public:
  void field(const vmstate::FieldSeen& seen) override {
    fields.push_back({{"offset", seen.offset},
                      {"size", seen.size},
                      {"name", seen.path},
                      {"role", name(seen.role)},
                      {"type", seen.type},
                      {"value", seen.value}});
    understood += seen.size;
  }
  nlohmann::ordered_json fields = nlohmann::ordered_json::array();
  std::uint64_t understood = 0;
};

void print_json(const Options& options, const RecordedStream& stream, Json& json, const std::optional<Error>& stopped) {
  nlohmann::ordered_json document = {{"file", options.file},
                                     {"stream", name(stream.kind)},
                                     {"bytes", stream.bytes.size()},
                                     {"unread", stream.bytes.size() - json.understood},
                                     {"fields", std::move(json.fields)}};
  if (stopped) document["stopped"] = stopped->message();
  // A value quotes what the stream holds; what is not UTF-8 is replaced, so that the document stays JSON.
  fmt::print("{}\n", document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int dissect(const Options& options) {
  auto stream = read_stream(options.file, options.kind);
  if (!stream) return complain(kMisuse, stream.error());
  std::optional<Error> stopped;
  std::uint64_t unread = stream->bytes.size();
  if (options.json) {
    Json json;
    stopped = streams::observe(stream->bytes, stream->kind, json);
    unread -= json.understood;
    print_json(options, *stream, json, stopped);
  } else {
    fmt::print("{:>8} {:>7}  {:<17} {:<14} {}\n", "offset", "size", "role", "type", "name = value");
    Columns columns;
    stopped = streams::observe(stream->bytes, stream->kind, columns);
    unread -= columns.understood;
    fmt::print("{} stream, {} bytes, {} unread\n", name(stream->kind), stream->bytes.size(), unread);
  }
  if (stopped) return complain(kRefused, options.file + ": " + stopped->message());
  return unread == 0 ? kDone : complain(kRefused, fmt::format("{}: {} bytes unread", options.file, unread));
}

}  // namespace

void add_dissect(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("dissect", "Show every field of a CPR state or a main migration stream");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "A stream; its kind is recognised by content")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_flag("--json", options->json, "One JSON object: fields, and unread: the bytes not understood");
  command->add_option("--as", options->kind, "Take it as this: transfer, exec or main")
      ->transform(CLI::CheckedTransformer(kKinds));
  command->callback([&status, options] { status = dissect(*options); });
}

}  // namespace vcpr::tool
