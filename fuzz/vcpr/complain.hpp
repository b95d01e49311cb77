// One line on standard error, and the exit status that goes with it.
#pragma once

#include <string_view>

namespace vcpr::tool {

/// "vcpr: MESSAGE"; returns `status`.
int complain(int status, std::string_view message);

}  // namespace vcpr::tool
