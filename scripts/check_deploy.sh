#!/usr/bin/env bash
# Holds deploy/ against what will read it: systemd, Kubernetes' types, the Prometheus operator's and the Flink operator's schemas, Flink's keys.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: $0 WEIR_BINARY"
[[ ${1:-} != --help ]] || { echo "$usage"; exit 0; }
[[ $# -eq 1 ]] || { echo "$usage" >&2; exit 64; }
binary=$(realpath "$1")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# systemd looks for the program, which lies elsewhere here.
sed "s|^ExecStart=/usr/local/bin/weir |ExecStart=$binary |" deploy/systemd/weir.service >"$scratch/weir.service"
systemd-analyze verify "$scratch/weir.service"

# The Flink operator's own schema, from its API's JAR.
operator=1.10.0
operator_sha256=b1f44814e17514fa8395c61b329a3ee9087123a5bda5b21fe1a495d5182c30b6
jar=$cache/flink-kubernetes-operator-api-$operator.jar
if [[ ! -e $jar ]]; then
  mkdir -p "$cache"
  mvn --batch-mode -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact=org.apache.flink:flink-kubernetes-operator-api:$operator -DoutputDirectory="$scratch"
  echo "$operator_sha256  $scratch/$(basename "$jar")" | sha256sum --quiet -c
  mv "$scratch/$(basename "$jar")" "$jar"
fi
crd=META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml
python3 -m zipfile -e "$jar" "$scratch/crd"

# The checker beside its modules, which are installed once for each state of its lock file.
checker=$cache/deploy-check-$(cat deploy/check/* | sha256sum | cut -c1-16)
if [[ ! -e $checker/ready ]]; then
  rm -rf "$checker"
  mkdir -p "$checker"
  cp deploy/check/* "$checker/"
  npm ci --silent --no-fund --no-audit --prefix "$checker"
  touch "$checker/ready"
fi
node "$checker/check.mjs" "$scratch/crd/$crd" deploy/kubernetes/*.yaml

# A checker that never complains would be worth nothing: these faults it has to see.
mkdir "$scratch/faulty"
for manifest in deploy/kubernetes/*.yaml; do
  sed 's/replicas:/replicass:/; s/podMetricsEndpoints:/podMetricEndpoints:/; s/jarURI:/jarUri:/; s/podSelector:$/podSelectors:/' \
    "$manifest" >"$scratch/faulty/$(basename "$manifest")"
done
if node "$checker/check.mjs" "$scratch/crd/$crd" "$scratch"/faulty/*.yaml >"$scratch/faults" 2>&1; then
  echo "the checker let faulty manifests pass" >&2
  exit 1
fi
for faulty in "$scratch"/faulty/*.yaml; do
  grep -qF "$faulty: " "$scratch/faults" || { echo "the checker let a faulty $(basename "$faulty") pass" >&2; exit 1; }
done
