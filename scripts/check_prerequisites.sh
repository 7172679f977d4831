#!/usr/bin/env bash
# Checks what the build and the demo need (with the argument `tests`: Prometheus and a browser too);
# installs Debian packages where it may, else names what is missing.
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
need node nodejs
need npm npm
need systemd-analyze systemd
need objdump binutils
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
# setpriv and flock are util-linux, which Debian cannot be without.
need setpriv util-linux
if [[ ${1:-} == tests ]]; then
  need sshd openssh-server
  need ssh openssh-client
  need rsync rsync
  need shellcheck shellcheck
  need prometheus prometheus
  need promtool prometheus
  need chromium chromium
fi

if [[ ${#packages[@]} -gt 0 ]]; then
  mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
  if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${packages[*]}"
    # Debian starts Prometheus as a service when it is installed; nobody asked for that here. The policy script forbids it.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    missing+=("Debian packages: apt-get install ${packages[*]}")
  fi
fi

if [[ ${#missing[@]} -gt 0 ]]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 1
fi
