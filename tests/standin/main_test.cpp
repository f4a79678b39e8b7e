#include <gtest/gtest.h>

#include <cstdlib>

// The stand-ins come before any real library that the machine may have.
int main(int argc, char** argv) {
  setenv("GHOSTTRAIN_CUDA_LIBRARIES", GHOST_CUDA_LIBRARY_FOLDER, 1);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
