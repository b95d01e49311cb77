#include "fuzz/vcpr/recorded_stream.hpp"

#include <algorithm>
#include <string_view>

#include "fuzz/vcpr/whole_file.hpp"

namespace vcpr::tool {

using streams::FieldMap;

namespace {

constexpr std::string_view kMainMagic = "QEVM";

streams::StreamKind recognise(const streams::Stream& bytes, std::string_view text) {
  if (text.starts_with(kMainMagic)) return streams::StreamKind::main;
  FieldMap as_transfer(bytes, streams::StreamKind::transfer);
  if (!as_transfer.stopped()) return streams::StreamKind::transfer;
  FieldMap as_exec(bytes, streams::StreamKind::exec);
  return as_exec.end() > as_transfer.end() ? streams::StreamKind::exec : streams::StreamKind::transfer;
}

}  // namespace

std::expected<RecordedStream, std::string> read_stream(const std::filesystem::path& path,
                                                       std::optional<streams::StreamKind> forced) {
  auto text = read_whole_file(path);
  if (!text) return std::unexpected(text.error());
  auto bytes = std::as_bytes(std::span(*text));
  RecordedStream stream{{bytes.begin(), bytes.end()}, streams::StreamKind::transfer};
  stream.kind = forced ? *forced : recognise(stream.bytes, *text);
  return stream;
}

}  // namespace vcpr::tool
