#!/usr/bin/env bash
# Installs what the project needs on Debian 12 (or Ubuntu 24.04), if anything is missing. Needs root or sudo only then.
#   scripts/setup.sh            what building and testing needs
#   scripts/setup.sh --data     also Fashion-MNIST, the quick start's pictures
#   scripts/setup.sh --dev      also sanitizer, fuzzing and style tools
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libdnnl-dev ocl-icd-opencl-dev libhwy-dev libstb-dev libturbojpeg0-dev
  libyaml-cpp-dev libcli11-dev libfmt-dev nlohmann-json3-dev libxxhash-dev zlib1g-dev libpugixml-dev
  libgtest-dev libgmock-dev)
for option in "$@"; do
  case "$option" in
    --data) packages+=(dataset-fashion-mnist) ;;
    --dev) packages+=(clang-format clang-19 clang-tidy-19 libclang-rt-19-dev) ;;
    *) echo "setup.sh: unknown option '$option'; use --data, --dev" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: as root, install: ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
