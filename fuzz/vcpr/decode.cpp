// vcpr decode: the text of an input that is given as bytes.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/target_input.hpp"

namespace vcpr::tool {

namespace {

int decode(const TargetInput& arguments) {
  const fuzz::Target& target = chosen(arguments);
  if (!target.print) return complain(kMisuse, "inputs of " + arguments.target + " have no text form");
  auto input = fuzz::read_input(target, arguments.path);
  if (!input) return complain(kMisuse, input.error());
  fmt::print("{}", target.print(*input));
  return kDone;
}

}  // namespace

void add_decode(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("decode", "Write an input as text to standard output");
  auto arguments = add_target_input(*command, "FILE", "Bytes of an input");
  command->callback([&status, arguments] { status = decode(*arguments); });
}

}  // namespace vcpr::tool
