// The subcommands of the tool, one file each.
//
// Each function adds its subcommand, options and help to `tool`. When the user asked for it, the subcommand's callback
// does the work and stores the exit status: kDone, kRefused with one line on standard error, or kMisuse.
#pragma once

namespace CLI {
class App;
}

namespace vcpr::tool {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  ///< the input was read and found wanting
inline constexpr int kMisuse = 2;   ///< the command line, or a file that cannot be read

void add_list(CLI::App& tool, int& status);
void add_run(CLI::App& tool, int& status);
void add_states(CLI::App& tool, int& status);
void add_sweep(CLI::App& tool, int& status);
void add_explain(CLI::App& tool, int& status);
void add_encode(CLI::App& tool, int& status);
void add_decode(CLI::App& tool, int& status);
void add_dissect(CLI::App& tool, int& status);
void add_load(CLI::App& tool, int& status);
void add_send(CLI::App& tool, int& status);
void add_recv(CLI::App& tool, int& status);
void add_demo_vm(CLI::App& tool, int& status);

}  // namespace vcpr::tool
