#!/usr/bin/env bash
# Makes the pictures of the README from the built-in networks and a picture of testdata.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -o "$out/viz" ./cmd/viz
"$out/viz" filters -q --model shapes --layer 1 --out docs/filters.png >/dev/null
"$out/viz" activations -q --model shapes --layer 2 --max 24 --out docs/activations.png testdata/star.png >/dev/null
"$out/viz" deconv -q --model shapes --layer 3 --maps 2,5,9,14 --out docs/deconv.png >/dev/null
"$out/viz" gradcam -q --model shapes --out docs/gradcam.png testdata/star.png >/dev/null
"$out/viz" attribute -q --model shapes --method all --out docs/attribution.png testdata/star.png >/dev/null
"$out/viz" occlude -q --model shapes --patch 8 --stride 2 --out docs/occlusion.png testdata/star.png >/dev/null
rm -f docs/{filters,activations,deconv,gradcam,attribution,occlusion}.{json,npy}
VIZ_PICTURES="$PWD/docs" VIZ_BROWSER=require go test ./internal/web -run TestPictures -count=1 >/dev/null # needs chromium
mv docs/serve-occlude-light.png docs/serve-occlude.png
mv docs/serve-layer-light.png docs/serve-layer.png
