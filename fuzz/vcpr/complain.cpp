#include "fuzz/vcpr/complain.hpp"

#include <cstdio>
#include <fmt/core.h>

namespace vcpr::tool {

int complain(int status, std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "vcpr: {}\n", message);
  return status;
}

}  // namespace vcpr::tool
