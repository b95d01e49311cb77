// An option value of the form NAME=FILE: an entry of the table with id 0, and a file for its memory.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

namespace vcpr::tool {

struct NameAndFile {
  std::string name;
  std::filesystem::path file;
};

/// Splits at the first "="; is_name_and_file has checked that there is one.
NameAndFile split_name_and_file(const std::string& argument);

CLI::Validator is_name_and_file();

}  // namespace vcpr::tool
