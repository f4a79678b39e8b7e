#!/usr/bin/env bash
# Installs what is missing, builds and runs every test: scripts/test.sh [PRESET] [CTEST OPTION ...], default cpu-release; asan
# and tsan run the same tests under the sanitizers, fuzz runs the label readers' fuzz targets.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-cpu-release}
[ $# -gt 0 ] && shift
scripts/setup.sh
folder=$(scripts/build.sh "$preset" | tail -n 1)
ctest --test-dir "$folder" --no-tests=error --output-on-failure -j "$(nproc)" "$@"
