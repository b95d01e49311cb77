// The two arguments that most subcommands share: a target by name, and a file with an input for it.
#pragma once

#include <CLI/CLI.hpp>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "fuzz/input_file.hpp"
#include "fuzz/target.hpp"

namespace vcpr::tool {

struct TargetInput {
  std::string target;
  std::filesystem::path path;
};

/// Adds TARGET (one of those linked in) and FILE (must exist) to a subcommand; filled when it is parsed.
std::shared_ptr<TargetInput> add_target_input(CLI::App& command, const char* path_name, const char* path_help);

/// The target named on the command line; add_target_input has checked the name.
const fuzz::Target& chosen(const TargetInput& arguments);

}  // namespace vcpr::tool
