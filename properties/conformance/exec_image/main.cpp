// The new image of a conformance case on Linux: `conformance_exec_image CASE REPORT_FD` runs the case's second half and
// writes what went wrong, line by line, to the descriptor.
#include <charconv>
#include <cstring>
#include <string_view>
#include <unistd.h>

#include "properties/conformance/case.hpp"
#include "properties/conformance/linux_world.hpp"

int main(int count, char** arguments) {
  using namespace vcpr::conformance;
  if (count != 3) return 2;
  int report_fd = -1;
  std::from_chars(arguments[2], arguments[2] + std::strlen(arguments[2]), report_fd);
  const Case* found = find_case(arguments[1]);
  if (found == nullptr || found->after_exec == nullptr) return 2;
  const auto world = linux_world({});
  Report report;
  found->after_exec(*world, report);
  for (const std::string& failure : report.failures()) {
    const std::string line = failure + "\n";
    if (::write(report_fd, line.data(), line.size()) < 0) return 2;
  }
  return 0;
}
