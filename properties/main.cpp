// A fixed seed and a thousand runs: a test that fails, fails every time. RC_PARAMS overrules each of them by itself:
// CI gives only a seed, drawn from the commit.
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

#include "properties/counterexample.hpp"

int main(int argc, char** argv) {
  const char* given = std::getenv("RC_PARAMS");
  // Of a key given twice RapidCheck takes the last.
  const std::string params = std::string("seed=20261122 max_success=1000 max_size=40 ") + (given ? given : "");
  setenv("RC_PARAMS", params.c_str(), 1);
  ::testing::InitGoogleTest(&argc, argv);
  return vcpr::properties::watched([] { return RUN_ALL_TESTS(); });
}
