#!/usr/bin/env bash
# Makes .venv from requirements.lock, installs Tutti into it in editable form, and sees to Java and curl (TorchServe, demo).
# Safe to run any number of times: it does nothing while the lock and pyproject.toml stay as they were.
# PYTHON names the interpreter to use; the default is a Python 3.11 found on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv
stamp=$venv/.tutti-setup
say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$@" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "Python 3.11 is needed and was not found${PYTHON:+ (PYTHON=$PYTHON)}." \
    "Install it (Debian 12, Ubuntu with the deadsnakes archive: apt-get install python3.11 python3.11-venv; or pyenv, uv, conda)" \
    "and run this again, or name it: make setup PYTHON=/path/to/python3.11"
}

# What pip cannot bring: a command, the Debian packages that hold it (the first that there is), and what it is for.
ensure_command() {
  local command=$1 packages=$2 purpose=$3 package as_root=""
  command -v "$command" >/dev/null && return
  if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
  if command -v apt-get >/dev/null && { [ -z "$as_root" ] || $as_root true 2>/dev/null; }; then
    $as_root apt-get update -qq || true
    for package in $packages; do
      say "installing $package ($purpose)"
      if $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
        return
      fi
    done
  fi
  say "'$command' is missing; it is needed for $purpose. Everything else works. To install it:"
  say "  sudo apt-get install ${packages%% *}"
}

# uv reads none of pip's configuration, so what pip was told (files and PIP_ variables) is told to uv; extra indexes only
# when asked, because uv takes all files of a version from the first index that has it (a mirror with a wheel without
# its compiled part would win), where pip looks at the files of all.
share_pip_settings_with_uv() {
  eval "$("$venv/bin/python" -m pip config list 2>/dev/null | "$venv/bin/python" scripts/pip_settings.py "$@")"
  # pip takes a version from whichever index has it; uv would stop at the first index that knows the name.
  export UV_INDEX_STRATEGY=${UV_INDEX_STRATEGY:-unsafe-best-match}
}

install_with_uv() {
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check uv || return
  sync_with_uv || sync_with_uv --extra-indexes
}

sync_with_uv() {
  (
    share_pip_settings_with_uv "$@"
    export VIRTUAL_ENV=$PWD/$venv
    "$venv/bin/uv" pip sync --quiet requirements.lock &&
      "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
  )
}

install_with_pip() {
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --requirement requirements.lock
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

# Without bytecode every process pays for compiling what it imports, tens of seconds with torch. Importing the heavy
# packages once compiles just what is used, a small part of the 30,000 files that compileall would go through.
warm_bytecode() {
  unset PYTHONDONTWRITEBYTECODE
  "$venv/bin/python" -c 'import torch, torch._dynamo, ts.model_service_worker' 2>/dev/null &
  local torch=$!
  "$venv/bin/python" -c 'import dvc.cli.parser, kfp.local, sklearn.ensemble, matplotlib.pyplot, great_expectations' >/dev/null 2>&1 || true
  wait $torch || true
}

# Scripts in a virtual environment name its folder, so a checkout that was moved needs a new one.
key="$PWD $(cat requirements.lock pyproject.toml scripts/setup.sh | sha256sum)"
# Releases that no longer carry Java 17 have a newer one, which TorchServe accepts.
ensure_command java "openjdk-17-jre-headless default-jre-headless" "TorchServe"
ensure_command curl curl "the demo's request"
known=$(cat $stamp 2>/dev/null || true)
if [ "$known" = "$key" ]; then exit 0; fi
if [ -n "$known" ] && [ "${known% * *}" != "$PWD" ]; then
  say "$venv was made in another folder; making it again"
  rm -rf $venv
fi

began=$SECONDS
if [ ! -x $venv/bin/python ]; then
  python=$(find_python)
  say "making $venv with $("$python" --version)"
  "$python" -m venv $venv || die "$python cannot make virtual environments: install its venv package (Debian: python3.11-venv)."
fi
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
  die "$venv holds no working Python 3.11: remove the folder and run this again."
rm -f $stamp
say "installing $(grep -c '==' requirements.lock) packages from requirements.lock (about 2 GB; minutes the first time)"
if ! install_with_uv; then
  say "uv did not succeed; trying pip, which takes longer"
  install_with_pip
fi
# The wheel that carries libsndfile exists for the usual platforms; elsewhere the system's is used.
if ! "$venv/bin/python" -c 'import soundfile' 2>/dev/null; then
  ensure_command sndfile-info "libsndfile1 sndfile-programs" "reading sound"
  "$venv/bin/python" -c 'import soundfile' || die "the library libsndfile is missing (Debian: apt-get install libsndfile1)."
fi
say "packages ready after $((SECONDS - began)) s; compiling what the commands import"
warm_bytecode
printf '%s' "$key" >$stamp
say "done in $((SECONDS - began)) s; '. .venv/bin/activate' puts the commands on your PATH"
