#!/usr/bin/env bash
# Holds deploy/ against what will read it: systemd, Kubernetes' types, the Prometheus operator's and the Flink operator's schemas, Flink's keys.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: $0 WEIR_BINARY WEIR_JAR_FOR_FLINK_1.20"
[[ ${1:-} != --help ]] || { echo "$usage"; exit 0; }
[[ $# -eq 2 ]] || { echo "$usage" >&2; exit 64; }
binary=$(realpath "$1")
weir_jar=$(realpath "$2")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# systemd looks for the program, which lies elsewhere here.
sed "s|^ExecStart=/usr/local/bin/weir |ExecStart=$binary |" deploy/systemd/weir.service >"$scratch/weir.service"
systemd-analyze verify "$scratch/weir.service"

# The Flink operator's own schema, from its API's JAR; its own keys and its autoscaler's, from theirs.
operator=1.10.0
fetch() { # ARTIFACT SHA256: prints the JAR's path
  local jar=$cache/$1-$operator.jar
  if [[ ! -e $jar ]]; then
    mkdir -p "$cache"
    mvn --batch-mode -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
      -Dartifact=org.apache.flink:"$1":$operator -DoutputDirectory="$scratch" >&2
    echo "$2  $scratch/${jar##*/}" | sha256sum --quiet -c >&2
    mv "$scratch/${jar##*/}" "$jar"
  fi
  echo "$jar"
}
api=$(fetch flink-kubernetes-operator-api b1f44814e17514fa8395c61b329a3ee9087123a5bda5b21fe1a495d5182c30b6)
autoscaler=$(fetch flink-autoscaler 5185e86960e29dc6b1b94f3ffe02d2a0718a3489b2468e96327513064d6dce60)
crd=META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml
python3 -m zipfile -e "$api" "$scratch/crd"

# The checker beside its modules, which are installed once for each state of its lock file.
checker=$cache/deploy-check-$(cat deploy/check/* | sha256sum | cut -c1-16)
if [[ ! -e $checker/ready ]]; then
  rm -rf "$checker"
  mkdir -p "$checker"
  cp deploy/check/* "$checker/"
  npm ci --silent --no-fund --no-audit --prefix "$checker"
  touch "$checker/ready"
fi
scripts/install_monitoring.sh --print-rules >"$scratch/rules.yaml"
manifests=(deploy/kubernetes/*.yaml deploy/kubernetes/patch/rbac.yaml "$scratch/rules.yaml" deploy/experiments/*.yaml)
node "$checker/check.mjs" "$scratch/crd/$crd" "${manifests[@]}"

# No manifest sets a key that nobody reads: neither this Flink, nor Weir, nor the autoscaler.
flink=$(scripts/get_flink.sh 1.20)
known_keys() { java -cp "$flink/lib/*:$weir_jar:$autoscaler" io.weir.KnownKeys "$@"; }
mkdir "$scratch/keys"
node "$checker/flink_configuration.mjs" "$scratch/keys" "${manifests[@]}"
known_keys "$scratch"/keys/*.yaml
echo "flinkConfiguration of $(find "$scratch/keys" -type f | wc -l) manifests: every key is read"
echo 'job.autoscaler.max-memory-level: 3' >"$scratch/unread.yaml"
if known_keys "$scratch/unread.yaml" 2>"$scratch/said" || ! grep -qF 'reads no key job.autoscaler.max-memory-level' "$scratch/said"; then
  echo "a key that nobody reads was not refused" >&2
  exit 1
fi

# BuildKit is not to be had here: the Dockerfile is held against its grammar's parser in JavaScript, and against what it copies.
node "$checker/dockerfile.mjs" deploy/docker/Dockerfile

# A checker that never complains would be worth nothing: these faults it has to see.
mkdir "$scratch/faulty"
for manifest in deploy/kubernetes/*.yaml deploy/kubernetes/patch/*.yaml; do
  sed 's/replicas:/replicass:/; s/podMetricsEndpoints:/podMetricEndpoints:/; s/jarURI:/jarUri:/; s/podSelector:$/podSelectors:/; s/verbs: \[create, get.*/verbs: ["*"]/; s/name: weir-patch$/names: weir-patch/' \
    "$manifest" >"$scratch/faulty/$(basename "$manifest")"
done
if node "$checker/check.mjs" "$scratch/crd/$crd" "$scratch"/faulty/*.yaml >"$scratch/faults" 2>&1; then
  echo "the checker let faulty manifests pass" >&2
  exit 1
fi
# Not a manifest, but what changes one: it has to change what is there.
python3 - deploy/kubernetes/controller.yaml deploy/kubernetes/patch/token.yaml <<'EOF'
import re, sys
manifest, change = (open(name).read() for name in sys.argv[1:])
flag = re.compile(r"(?m)^      automountServiceAccountToken: (\w+)$")
assert flag.findall(manifest) == ["false"] and flag.findall(change) == ["true"], "token.yaml does not turn over what controller.yaml has"
EOF
for faulty in "$scratch"/faulty/*.yaml; do
  grep -qF "$faulty: " "$scratch/faults" || { echo "the checker let a faulty $(basename "$faulty") pass" >&2; exit 1; }
done
