// A fixed seed and a thousand runs, unless RC_PARAMS says otherwise: a test that fails, fails every time.
#include <cstdlib>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  setenv("RC_PARAMS", "seed=20261122 max_success=1000 max_size=40", 0);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
