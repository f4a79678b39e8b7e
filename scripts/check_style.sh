#!/usr/bin/env bash
# Style: clang-format, the order of the floors, file length, and clang-tidy over the sources (skipped with --no-tidy).
#   scripts/check_style.sh [--no-tidy] [--fix]
set -euo pipefail
cd "$(dirname "$0")/.."

tidy=1 fix=0
for option in "$@"; do
  case "$option" in
    --no-tidy) tidy=0 ;;
    --fix) fix=1 ;;
    *) echo "check_style.sh: unknown option '$option'; use --no-tidy, --fix" >&2; exit 2 ;;
  esac
done

mapfile -t sources < <(git ls-files '*.h' '*.cpp' '*.cu')
if [ $fix -eq 1 ]; then
  clang-format -i "${sources[@]}"
fi
echo "style: clang-format, ${#sources[@]} files"
clang-format --dry-run --Werror "${sources[@]}"

echo "style: floors (ARCHITECTURE.md, \"Folders are floors\")"
declare -A allowed=(
  [core]="core" [kernels]="core kernels" [layers]="core kernels layers" [losses]="core kernels losses" [data]="core data"
  [train]="core kernels layers losses data train" [apps]="core kernels layers losses data train apps"
)
failed=0
for floor in "${!allowed[@]}"; do
  while IFS=: read -r file line text; do
    target=$(sed -E 's/.*#include "([a-z_]+)\/.*/\1/' <<<"$text")
    case " ${allowed[$floor]} tests " in
      *" $target "*)  # only the two headers that stand in for CUDA's know the test-only one
        [ "$target" != tests ] || [ "$file" = core/launch.h ] || [ "$file" = core/cuda.h ] ||
          { echo "$file:$line: includes a test header"; failed=1; } ;;
      *) echo "$file:$line: $floor may not include $target"; failed=1 ;;
    esac
  done < <(git grep -nE '#include "(core|kernels|layers|losses|data|train|apps|tests)/' -- "$floor")
done

echo "style: files of at most 400 lines"
while read -r count file; do
  [ "$file" = total ] || [ "$count" -le 400 ] || { echo "$file has $count lines; split it where two ideas share one room"; failed=1; }
done < <(wc -l "${sources[@]}")
[ $failed -eq 0 ]

if [ $tidy -eq 1 ]; then
  tool=$(command -v clang-tidy-19 || command -v clang-tidy)
  cmake --preset cpu-release -DGHOST_TESTS=OFF -B build/tidy >/dev/null
  mapfile -t compiled < <(git ls-files 'core/*.cpp' 'kernels/*.cpp' 'layers/*.cpp' 'losses/*.cpp' 'data/*.cpp' 'train/*.cpp' 'apps/*.cpp' |
    grep -vE '_(cuda|cudnn|cublaslt)\.cpp$')
  echo "style: $tool, ${#compiled[@]} sources"
  printf '%s\n' "${compiled[@]}" | xargs -P "$(nproc)" -n 4 "$tool" -p build/tidy --quiet 2>/dev/null
fi
echo "style: in order"
