// vcpr explain: one input step by step, decoded, and how it ends.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "fuzz/vcpr/commands.hpp"
#include "fuzz/vcpr/complain.hpp"
#include "fuzz/vcpr/target_input.hpp"

namespace vcpr::tool {

namespace {

int explain(const TargetInput& arguments) {
  const fuzz::Target& target = chosen(arguments);
  auto input = fuzz::read_input(target, arguments.path);
  if (!input) return complain(kMisuse, input.error());

  fmt::print("target  {}: {}\ninput   {}, {} bytes\n", target.name, target.proves, arguments.path.string(),
             input->size());
  int step = 0;
  fuzz::Explain line = [&step](std::string_view text) {
    fmt::print("{:>6}  {}\n", ++step, text);
    std::fflush(stdout);  // a violation aborts right after its last step
  };
  std::uint64_t hash = target.run(*input, &line).hash;
  fmt::print("held    hash {:016x}\n", hash);
  return kDone;
}

}  // namespace

void add_explain(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("explain", "Tell step by step what an input does, and how it ends");
  auto arguments = add_target_input(*command, "FILE", "Input file");
  command->callback([&status, arguments] { status = explain(*arguments); });
}

}  // namespace vcpr::tool
