#!/usr/bin/env bash
# Checks what the build, the demo and the tests need; installs Debian packages where it may, else names what is missing.
set -euo pipefail

missing=()   # what no package here can give
packages=()  # Debian packages to install

need() { # program, package
  command -v "$1" >/dev/null || packages+=("$2")
}

command -v cargo >/dev/null || missing+=("cargo (Rust 1.90 or newer, https://rustup.rs)")
need javac openjdk-17-jdk-headless
need mvn maven
need cc gcc
need python3 python3
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
# setpriv and flock are util-linux, which Debian cannot be without.
need setpriv util-linux
need prometheus prometheus
need promtool prometheus

if [[ ${#packages[@]} -gt 0 ]]; then
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${packages[*]}"
    # Debian starts a Prometheus as a service on install; where a policy script can be set, keep it from doing so.
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    missing+=("Debian packages: apt-get install ${packages[*]}")
  fi
fi

if [[ ${#missing[@]} -gt 0 ]]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 1
fi
