// vcpr list: the fuzz targets and what each proves.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "fuzz/target.hpp"
#include "fuzz/vcpr/commands.hpp"

namespace vcpr::tool {

void add_list(CLI::App& tool, int& status) {
  CLI::App* command = tool.add_subcommand("list", "Name the fuzz targets and what each proves");
  command->callback([&status] {
    for (const fuzz::Target* target : fuzz::targets()) fmt::print("{:<16} {}\n", target->name, target->proves);
    status = kDone;
  });
}

}  // namespace vcpr::tool
