#!/usr/bin/env bash
# Runs the fuzz targets of the label readers: scripts/fuzz.sh [SECONDS EACH] [TARGET ...], default 60 s for voc, coco and yolo.
# Needs Clang with libFuzzer (scripts/setup.sh --dev). New inputs stay in build/fuzz/found; an input that fails is named
# at the end of the output: mend the reader, then add it to tests/fuzz/corpus, which data_test runs through too.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(voc coco yolo)
options=()
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S tests/fuzz -B build/fuzz -G Ninja "-DCMAKE_CXX_COMPILER=${CXX:-clang++-19}" "${options[@]}" >/dev/null
cmake --build build/fuzz --target "${targets[@]/%/_fuzz}"
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/found/$target"
  echo "fuzz: $target, $seconds s"
  "build/fuzz/${target}_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict="tests/fuzz/dictionaries/$target.dict" -artifact_prefix="build/fuzz/$target-" \
    "build/fuzz/found/$target" "tests/fuzz/corpus/$target" 2>&1 | tail -n 60
done
