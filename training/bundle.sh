#!/usr/bin/env bash
# Make the bundled lens from the trained model, and leave its receipt in it.
#
#   training/bundle.sh VAL.npz      (images uint8 (n,64,64,3), labels (n,): see tiny_imagenet.py)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lens="$here/../src/pocketlens/lenses/tiny-imagenet-200.lens"
model="$here/models/tiny-imagenet-200.onnx"
mkdir -p "$(dirname "$lens")"
pocketlens compress "$model" -o "$lens" --bits 6 --crush 6 --preset tiny-imagenet \
  --labels "$here/models/tiny-imagenet-200.txt" --name tiny-imagenet-200 \
  --licence "Weights BSD-3-Clause; trained on Tiny ImageNet, derived from ImageNet: research use"
pocketlens eval "$lens" "$1" --against "$model"
