#!/usr/bin/env bash
# Installs what the project needs on Debian 12 (or Ubuntu 24.04), if anything is missing. Needs root or sudo only then.
#   scripts/setup.sh            what building and testing needs
#   scripts/setup.sh --data     also Fashion-MNIST, the quick start's pictures
#   scripts/setup.sh --dev      also sanitizer, fuzzing and style tools
#   scripts/setup.sh --arm64    also what cmake --preset arm64 needs: cross compiler, emulator, libraries (Debian only)
set -euo pipefail
cd "$(dirname "$0")/.."

libraries=(libdnnl-dev ocl-icd-opencl-dev libhwy-dev libstb-dev libturbojpeg0-dev libyaml-cpp-dev libcli11-dev libfmt-dev
  nlohmann-json3-dev libxxhash-dev zlib1g-dev libpugixml-dev libgtest-dev libgmock-dev)
packages=(g++ cmake ninja-build pkg-config "${libraries[@]}")
arm64=0
for option in "$@"; do
  case "$option" in
    --arm64) arm64=1 packages+=(g++-aarch64-linux-gnu qemu-user) ;;
    --data) packages+=(dataset-fashion-mnist) ;;
    --dev) packages+=(clang-format clang-19 clang-tidy-19 libclang-rt-19-dev) ;;
    *) echo "setup.sh: unknown option '$option'; use --data, --dev, --arm64" >&2; exit 2 ;;
  esac
done

# Debian's arm64 libraries, unpacked in a folder of their own by an apt with its own state: not all of them can be
# installed beside the machine's.
fetch_arm64() {
  local work=$PWD/build/arm64-packages root=$PWD/build/arm64-root package
  if [ -e "$root/complete" ]; then
    echo "setup: $root is there"
    return
  fi
  echo "setup: fetching arm64 libraries to $root"
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$root"
  : >"$work/status"
  cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Debug::NoLocking "true";
END
  APT_CONFIG=$work/apt.conf apt-get update -qq
  APT_CONFIG=$work/apt.conf apt-get install -y -qq --download-only --no-install-recommends libgomp1 "${libraries[@]}" >/dev/null
  for package in "$work"/cache/archives/*.deb; do dpkg --extract "$package" "$root"; done
  rm -r "$work"
  : >"$root/complete"
}

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
else
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: as root, install: ${missing[*]}" >&2; exit 2; }
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
[ $arm64 -eq 0 ] || fetch_arm64
