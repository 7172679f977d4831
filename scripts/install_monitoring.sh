#!/usr/bin/env bash
# install_monitoring.sh [OPTION]...
#
# Installs Prometheus with its operator, Grafana, Loki and what collects logs for it, by their Helm charts, into the cluster that kubectl knows,
# with Weir's rules and dashboards. The values are in deploy/kubernetes/stack. Needs helm and kubectl; may be repeated.
#
#   --namespace NAME   where (default monitoring)
#   --no-logs          without Loki and Alloy
#   --print-rules      prints the recording and alert rules as a PrometheusRule, and does nothing else
#   --dry-run          prints what it would run
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"
root=$(dirname "$here")

namespace=monitoring logs=1 dry_run=''
rules() {
  printf '%s\n' 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' 'metadata:' '  name: weir' 'spec:' '  groups:'
  local file
  for file in recording alerts; do
    sed '1,/^groups:$/d; s/^\(.\)/  \1/' "$root/monitoring/rules/$file.yml"
  done
}
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --no-logs) logs= ;;
    --print-rules) rules; exit 0 ;;
    --namespace)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      namespace=$2
      shift
      ;;
    *) misused "unknown argument $1" ;;
  esac
  shift
done
for program in helm kubectl; do
  [[ -n $dry_run ]] || command -v "$program" >/dev/null || fail "$program is not installed"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rules >"$scratch/rules.yaml"
stack=$root/deploy/kubernetes/stack
chart() { run helm upgrade --install "$1" "$2" --namespace "$namespace" --create-namespace --values "$stack/$3.yaml" --wait; }
run helm repo add prometheus-community https://prometheus-community.github.io/helm-charts
run helm repo add grafana https://grafana.github.io/helm-charts
run helm repo update prometheus-community grafana
chart prometheus prometheus-community/kube-prometheus-stack prometheus
if [[ -n $logs ]]; then
  chart loki grafana/loki loki
  chart alloy grafana/alloy alloy
fi
run kubectl apply --namespace "$namespace" --server-side --filename "$scratch/rules.yaml"
for dashboard in "$root"/monitoring/grafana/dashboards/*.json; do
  name=$(basename "$dashboard" .json)
  # A client-side dry run is how kubectl makes a manifest out of a file.
  run kubectl create configmap "$name" --namespace "$namespace" --from-file "$dashboard" --dry-run=client --output yaml >"$scratch/$name.yaml"
  [[ -z $dry_run ]] || cat "$scratch/$name.yaml"
  run kubectl apply --namespace "$namespace" --server-side --filename "$scratch/$name.yaml"
  run kubectl label --namespace "$namespace" --overwrite configmap "$name" grafana_dashboard=1
done
say "next: kubectl apply -f deploy/kubernetes/monitoring.yaml where the jobs are, and name $namespace in deploy/kubernetes/network-policy.yaml if it is not monitoring"
