#!/usr/bin/env bash
# What can be said about the CUDA code without a GPU: every .cu file is compiled for sm_80, sm_90 and PTX (with
# --sm120 also for sm_120, which takes longer) with warnings, spills and local memory as errors; no kernel needs more registers or shared
# memory than a block has; clang reads the code as a second compiler.
# Usage: scripts/check_cuda.sh [--sm120] [FILE.cu ...], default all. Needs nvcc and no GPU; ends with 77 where there is no nvcc.
# With a built simt_test (SIMT_TEST, default that of the preset cpu-release) a kernel's block size is the largest one launched
# there; else its limit is 1024 threads.
set -euo pipefail
cd "$(dirname "$0")/.."
cuda=${CUDA_HOME:-/usr/local/cuda}
nvcc=$(command -v nvcc || echo "$cuda/bin/nvcc")
simt_test=${SIMT_TEST:-build/cpu-release/tests/simt/simt_test}
if [ ! -x "$nvcc" ]; then
  echo "check_cuda: no nvcc found (looked on PATH and in $cuda/bin); nothing was checked"
  exit 77
fi
cuda=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/include"
touch "$work/include/texture_fetch_functions.h"  # clang's CUDA wrapper asks for it; CUDA 13 no longer has it
code='-gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_90,code=compute_90'
if [ "${1:-}" = --sm120 ]; then
  shift
  code="$code -gencode arch=compute_120,code=sm_120"
fi
export nvcc cuda work code

files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(find core kernels layers losses train -name '*.cu' | sort)
fi
if [ ${#files[@]} -eq 0 ]; then
  echo "check_cuda: no .cu files"
  exit 0
fi

compile() {
  log=$work/$(echo "$1" | tr / _)
  # shellcheck disable=SC2086
  if ! "$nvcc" -std=c++20 -O3 -I. -Werror all-warnings -Xcompiler=-Wall,-Wextra $code \
      -Xptxas -v,-warn-spills,-warn-lmem-usage,-Werror -c "$1" -o "$log.o" >"$log.ptxas" 2>&1; then
    echo "check_cuda: nvcc refuses $1:"
    grep -vE '^ptxas info|bytes stack frame' "$log.ptxas"
    return 1
  fi
  rm -f "$log.o"
}
read_by_clang() {
  if ! "$clang" -x cuda --cuda-path="$cuda" --cuda-gpu-arch=sm_90 -Wno-unknown-cuda-version -fsyntax-only -std=c++20 \
      -Wall -Wextra -Werror -isystem "$work/include" -I. "$1" >"$work/clang.$$" 2>&1; then
    echo "check_cuda: clang refuses $1:"
    cat "$work/clang.$$"
    return 1
  fi
}
export -f compile read_by_clang

failed=0
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'compile "$0"' || failed=1

clang=$(command -v clang++-19 || true)
export clang
if [ -n "$clang" ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'read_by_clang "$0"' || failed=1
else
  echo "check_cuda: no clang++-19 (older ones cannot read CUDA 13); the second compiler was left out"
fi

# "name threads bytes" of every kernel that simt_test launches: its largest block, the most dynamic shared memory.
: >"$work/blocks"
if [ -x "$simt_test" ]; then
  GHOST_SIMT_LAUNCHES=$work/blocks "$simt_test" --gtest_brief=1 >/dev/null || echo "check_cuda: $simt_test fails"
else
  echo "check_cuda: $simt_test is not built; every kernel is held to 1024 threads"
fi

# Registers are given out in units of 8 per thread; a block has 65536, and 48 KB of shared memory, static and dynamic.
cat "$work"/*.ptxas | c++filt | awk -v blocks="$work/blocks" '
  BEGIN { while ((getline line < blocks) > 0) { split(line, f, " "); threads[f[1]] = f[2]; dynamic[f[1]] = f[3] } }
  /Compiling entry function/ {
    kernel = $0; sub(/.*entry function .(void )?/, "", kernel); arch = $NF; gsub(/\047/, "", arch)
    gsub(/\(anonymous namespace\)::|[a-z_]+::_GLOBAL__N__[0-9a-zA-Z_]*::|[a-zA-Z_0-9]+::/, "", kernel)
    name = kernel; sub(/[<(].*/, "", name)
  }
  /Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/); registers = int((substr($0, RSTART + 5, RLENGTH - 5) + 7) / 8) * 8
    shared = 0; if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
    shared += dynamic[name]; if (shared > most_shared) { most_shared = shared; which_shared = name }
    block = name in threads ? threads[name] : 1024
    ++checked; if (registers > most) { most = registers; which = name }
    if (registers * block > 65536) {
      printf "check_cuda: %s on %s needs %d registers x %d threads > 65536; give it __launch_bounds__ or a smaller block\n", kernel, arch, registers, block; bad = 1 }
    if (shared > 49152) { printf "check_cuda: %s on %s has %d bytes of shared memory > 49152\n", kernel, arch, shared; bad = 1 }
  }
  END {
    printf "check_cuda: %d kernel instances compiled; most registers: %d (%s), most shared memory: %d bytes (%s)\n", checked, most, which, most_shared, which_shared
    exit bad || checked == 0
  }' || failed=1

if [ "$failed" -ne 0 ]; then
  echo "check_cuda: FAILED"
  exit 1
fi
echo "check_cuda: ${#files[@]} files pass"
