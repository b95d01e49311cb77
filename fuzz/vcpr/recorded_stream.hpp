// What kind of stream a file holds.
#pragma once

#include <expected>
#include <filesystem>
#include <optional>
#include <string>

#include "properties/streams/field_map.hpp"

namespace vcpr::tool {

struct RecordedStream {
  streams::Stream bytes;
  streams::StreamKind kind{};
};

/// Reads a file and recognises its stream by content: a main stream by its magic; a CPR state as transfer or exec, of
/// which it can be understood further. `forced` decides instead where it is given. The error starts with the path.
std::expected<RecordedStream, std::string> read_stream(const std::filesystem::path& path,
                                                       std::optional<streams::StreamKind> forced = std::nullopt);

}  // namespace vcpr::tool
