// vcpr encode: the bytes of an input that is written as text.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/target_input.hpp"
#include "fuzz/vcpr/whole_file.hpp"

namespace vcpr::tool {

namespace {

int encode(const TargetInput& arguments) {
  const fuzz::Target& target = chosen(arguments);
  if (!target.parse) return complain(kMisuse, "inputs of " + arguments.target + " have no text form");
  auto text = read_whole_file(arguments.path);
  if (!text) return complain(kMisuse, text.error());
  auto bytes = target.parse(*text);
  if (!bytes) return complain(kRefused, arguments.path.string() + ": " + bytes.error());
  std::fwrite(bytes->data(), 1, bytes->size(), stdout);
  return kDone;
}

}  // namespace

void add_encode(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("encode", "Write the bytes of an input given as text to standard output");
  auto arguments = add_target_input(*command, "FILE", "Text of an input, as vcpr decode writes it");
  command->callback([&status, arguments] { status = encode(*arguments); });
}

}  // namespace vcpr::tool
