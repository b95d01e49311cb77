// A file as it is.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace vcpr::tool {

/// The bytes of a file of at most fuzz::kMaxInputFileBytes, or why not; the message starts with the path.
std::expected<std::string, std::string> read_whole_file(const std::filesystem::path& path);

}  // namespace vcpr::tool
