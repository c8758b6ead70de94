#!/usr/bin/env bash
# The main job from end to end on real data: build, train, evaluate, predict, explain.
# `make quickstart` calls it with the environment on the PATH; DATA and MODEL say where things go.
set -euo pipefail
cd "$(dirname "$0")/.."
DATA=${DATA:-build/quickstart/data}
MODEL=${MODEL:-build/quickstart/model}
RECIPE=${RECIPE:-configs/default.yaml}
# A small set for a quick look: SETTINGS="--set labels=300 --set documents=1200"
read -r -a SETTINGS <<< "${SETTINGS:-}"
REPORT=$(dirname "$MODEL")/report.html
RESULT=$(dirname "$MODEL")/result.json
TEXT=${TEXT:-"a graphical tool to edit the tags of audio files"}

step() { printf '\n== %s\n' "$*"; }

step "1/5 data: packages of this machine's apt index and the packages they need (else a synthetic set)"
mkdir -p "$(dirname "$DATA")" "$(dirname "$MODEL")"
eclare data build debian-related --or-synthetic --out "$DATA" ${SETTINGS[@]+"${SETTINGS[@]}"}
eclare data info "$DATA"

step "2/5 training with $RECIPE"
eclare train "$RECIPE" --data "$DATA" --out "$MODEL"

step "3/5 quality on the test split"
eclare evaluate "$MODEL" --data "$DATA" --json "$RESULT" --html "$REPORT"

step "4/5 labels of a text: $TEXT"
printf '%s\n' "$TEXT" | eclare predict "$MODEL" --top-k 5 | python -m json.tool

step "5/5 the reasons of the first one"
eclare explain "$MODEL" --text "$TEXT"

printf '\nreport: %s\nresult: %s\nmodel:  %s\n' "$REPORT" "$RESULT" "$MODEL"
