// The new image of a conformance case on Linux: `conformance_exec_image CASE REPORT_FD`.
#include <charconv>
#include <cstring>

#include "properties/conformance/linux_world.hpp"

int main(int count, char** arguments) {
  if (count != 3) return 2;
  int report_fd = -1;
  std::from_chars(arguments[2], arguments[2] + std::strlen(arguments[2]), report_fd);
  return vcpr::conformance::carry_on_after_exec(arguments[1], report_fd);
}
