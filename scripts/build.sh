#!/usr/bin/env bash
# Configures and builds a preset: scripts/build.sh [PRESET] [CMAKE OPTION ...] [--target TARGET ...]. Default: cpu-release, or CUDA as well where both a toolkit
# and an NVIDIA device are there. Prints the build folder as its last line.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-auto}
[ $# -gt 0 ] && shift
options=()
while [ $# -gt 0 ] && [ "$1" != --target ]; do
  options+=("$1")
  shift
done
targets=("$@")
if [ "$preset" = auto ]; then
  preset=cpu-release
  nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || true)
  if [ -n "$nvcc" ] && [ -e /dev/nvidia0 ]; then
    echo "build: CUDA toolkit $nvcc and an NVIDIA device found: building for CPU and CUDA" >&2
    preset=cuda-release
    options+=(-DCMAKE_CUDA_ARCHITECTURES=native "-DCMAKE_CUDA_COMPILER=$nvcc")
  elif [ -n "$nvcc" ]; then
    echo "build: a CUDA toolkit is there ($nvcc), an NVIDIA device is not: building for the CPU (CUDA: scripts/build.sh cuda-release)" >&2
  else
    echo "build: no CUDA toolkit found: building for the CPU" >&2
  fi
fi
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_SLOPPINESS=pch_defines,time_macros  # precompiled headers
fi
cmake --preset "$preset" -DCMAKE_UNITY_BUILD=ON "${options[@]}" >&2
cmake --build "build/$preset" "${targets[@]}" >&2
echo "build/$preset"
