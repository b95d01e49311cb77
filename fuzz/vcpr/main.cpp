// vcpr: look at CPR streams, load them as a new process would, and rerun what the fuzzers found.
#include <CLI/CLI.hpp>

#include "fuzz/vcpr/commands.hpp"

int main(int argc, char** argv) {
  CLI::App tool{"Look at CPR streams, hand them over, and rerun what the fuzzers found.", "vcpr"};
  tool.require_subcommand(1);
  tool.footer("Exit status: 0 done, 1 the input was refused, 2 the command line or a file is wrong.");

  int status = vcpr::tool::kDone;
  vcpr::tool::add_list(tool, status);
  vcpr::tool::add_run(tool, status);
  vcpr::tool::add_sweep(tool, status);
  vcpr::tool::add_states(tool, status);
  vcpr::tool::add_explain(tool, status);
  vcpr::tool::add_encode(tool, status);
  vcpr::tool::add_decode(tool, status);
  vcpr::tool::add_dissect(tool, status);
  vcpr::tool::add_load(tool, status);
  vcpr::tool::add_send(tool, status);
  vcpr::tool::add_recv(tool, status);
  vcpr::tool::add_demo_vm(tool, status);

  try {
    tool.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tool.exit(error) == 0 ? vcpr::tool::kDone : vcpr::tool::kMisuse;
  }
  return status;
}
