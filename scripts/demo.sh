#!/usr/bin/env bash
# The whole way from data to an answer: pulls the embedded data, runs the pipeline (what is up to date is not run
# again), serves the champion with TorchServe, posts a recording to it, prints the answer, stops the server.
# PORT is where it listens (default 8080).
set -euo pipefail
SECONDS=0
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"
unset PYTHONDONTWRITEBYTECODE

phase() { printf '\n[%4d s] %s\n' "$SECONDS" "$*"; }
serving=no
finish() {
  local code=$?
  if [ $serving = yes ]; then
    phase "stopping the server"
    python -m handlers.serve --stop || true
  fi
  if [ $code != 0 ]; then printf '\n[%4d s] the demo failed (exit %d); the reason is above\n' "$SECONDS" "$code" >&2; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

phase "pulling the embedded data (dvc pull data.dvc)"
dvc pull data.dvc

phase "running the pipeline: validate, mix, features, pretrain, train, evaluate, select, gate, package, smoke, publish, report (dvc repro publish report)"
# What is served and its report; `dvc repro` alone also trains every other published model.
dvc repro publish report
if [ ! -f registry/champion.json ]; then
  # DVC does not watch the registry: it may have been removed after the pipeline was run.
  dvc repro --force --single-item publish
fi

recording=artifacts/package/golden/$(ls artifacts/package/golden | grep -v json | head -n 1)
url=http://127.0.0.1:${PORT:-8080}/predictions/tutti
phase "starting TorchServe with the champion"
serving=yes
if ! python -m handlers.serve --background --port "${PORT:-8080}"; then
  serving=no # nothing of ours runs: what is in the way may be somebody's server
  exit 7
fi

phase "asking for a test recording: curl -T $recording $url"
curl --silent --show-error --fail-with-body --max-time 120 -T "$recording" "$url" >artifacts/answer.json
tutti show-answer <artifacts/answer.json

phase "stopping the server"
python -m handlers.serve --stop
serving=no

phase "done"
echo "  the report:     reports/html/index.html"
echo "  the data docs:  artifacts/validation/index.html"
echo "  the answer:     artifacts/answer.json"
