// Inputs as files: text where the target has a text form and the name ends in .txt, bytes otherwise.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/target.hpp"

namespace vcpr::fuzz {

/// A larger file is refused before it is read.
inline constexpr std::uintmax_t kMaxInputFileBytes = 64u << 20;

/// The bytes that `target` runs on, or why there are none: cannot be read, too large, does not parse, or a .txt for a
/// target without a text form. The message starts with the path.
std::expected<Bytes, std::string> read_input(const Target& target, const std::filesystem::path& path);

/// The files that `path` stands for, in order of name: itself, or everything below a folder but what is no input there:
/// names that start with a dot, README.md, *.dict, *.options.
std::expected<std::vector<std::filesystem::path>, std::string> list_inputs(const std::filesystem::path& path);

}  // namespace vcpr::fuzz
