#include "fuzz/vcpr/target_input.hpp"

namespace vcpr::tool {

std::shared_ptr<TargetInput> add_target_input(CLI::App& command, const char* path_name, const char* path_help) {
  auto arguments = std::make_shared<TargetInput>();
  auto known = [](const std::string& name) {
    return fuzz::find_target(name) ? std::string() : "no target \"" + name + "\": see vcpr list";
  };
  command.add_option("TARGET", arguments->target, "Fuzz target, as vcpr list names it")
      ->required()
      ->check(CLI::Validator(known, "TARGET", "target"));
  command.add_option(path_name, arguments->path, path_help)->required()->check(CLI::ExistingPath);
  return arguments;
}

const fuzz::Target& chosen(const TargetInput& arguments) {
  return *fuzz::find_target(arguments.target);
}

}  // namespace vcpr::tool
