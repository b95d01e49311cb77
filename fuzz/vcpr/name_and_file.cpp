#include "fuzz/vcpr/name_and_file.hpp"

namespace vcpr::tool {

NameAndFile split_name_and_file(const std::string& argument) {
  const std::size_t split = argument.find('=');
  return {argument.substr(0, split), argument.substr(split + 1)};
}

CLI::Validator is_name_and_file() {
  auto check = [](const std::string& argument) {
    const std::size_t split = argument.find('=');
    const bool good = split != std::string::npos && split > 0 && split + 1 < argument.size();
    return good ? std::string() : "\"" + argument + "\" is not NAME=FILE";
  };
  return {check, "NAME=FILE", "name_and_file"};
}

}  // namespace vcpr::tool
