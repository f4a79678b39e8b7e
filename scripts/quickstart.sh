#!/usr/bin/env bash
# The main job from nothing: installs what is missing, builds, makes a real image folder (Fashion-MNIST, 70,000 pictures), trains a GhostNet,
# evaluates it, exports the weights and predicts a few pictures. Everything it makes lies in build/ and runs/.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "1/6 packages"
scripts/setup.sh --data
step "2/6 build"
folder=$(scripts/build.sh auto -DGHOST_TESTS=OFF -DGHOST_SIMD=native | tail -n 1)
ghosttrain=$folder/ghosttrain
"$ghosttrain" --version

step "3/6 pictures: Fashion-MNIST as class folders"
"$ghosttrain" data fashion-mnist /usr/share/datasets/fashion-mnist build/fashion-mnist

step "4/6 training: configs/fashion_mnist.yaml"
run=runs/quickstart-$(date +%Y%m%d-%H%M%S)
"$ghosttrain" train configs/fashion_mnist.yaml "run_name=$(basename "$run")"

step "5/6 evaluation and export"
"$ghosttrain" val "$run"
"$ghosttrain" export "$run" --to "$run/ghostnet_fashion_mnist.safetensors"

step "6/6 prediction"
pictures=()
for class in sneaker coat bag; do
  of_class=(build/fashion-mnist/val/"$class"/*)
  pictures+=("${of_class[0]}")
done
"$ghosttrain" predict "$run/ghostnet_fashion_mnist.safetensors" "${pictures[@]}" --out "$run/predictions"
printf '\nDone. Look at %s (metrics.csv, plots/, predictions/).\nYour own pictures: ghosttrain train configs/image_folder.yaml data.train=... data.val=...\n' "$run"
