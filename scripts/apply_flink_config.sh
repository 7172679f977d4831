#!/usr/bin/env bash
# apply_flink_config.sh [--mode MODE] [--purpose PURPOSE] [--set KEY=VALUE]... [--dry-run]
#
# Writes $FLINK_HOME/conf/config.yaml from a template in flink-conf/, shows what changes, and keeps the file that was there as config.yaml.TIME.bak.
#
#   --mode MODE        observe (default), shared or per-operator
#   --purpose PURPOSE  measure (default), autoscale or trace; or demo
#   --set KEY=VALUE    sets a key, in place of the template's where it has one; may be repeated
#   --dry-run          shows what would change and changes nothing
#
# A key that this Flink does not read is refused, with the nearest one it does; then nothing is written. What is in the template as ${NAME} comes from
# the environment or scripts/env.local.sh; scripts/env.sh has the defaults. Weir's JAR must be in $FLINK_HOME/lib, or be named by WEIR_JAR.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/env.sh
source "$here/env.sh"

mode=observe purpose=measure sets=() dry_run=
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) help; exit 0 ;;
    --dry-run) dry_run=1 ;;
    --mode | --purpose | --set)
      [[ $# -ge 2 ]] || misused "$1 needs a value"
      case $1 in
        --mode) mode=$2 ;;
        --purpose) purpose=$2 ;;
        --set)
          [[ $2 == ?*=* ]] || misused "--set $2: expected KEY=VALUE"
          sets+=("$2")
          ;;
      esac
      shift
      ;;
    *) misused "unknown argument $1" ;;
  esac
  shift
done
need_flink_home

line=$(flink_line)
template=$here/../flink-conf/$line/$mode-$purpose.yaml
[[ $purpose != demo ]] || template=$here/../flink-conf/$line/demo.yaml
[[ -f $template ]] || misused "no template for mode '$mode' and purpose '$purpose'; modes: observe, shared, per-operator; purposes: measure, autoscale, trace"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
new=$work/config.yaml

# Keys that --set replaces leave the template, for Flink refuses a key that stands twice. Values may hold any character.
while IFS= read -r text || [[ -n $text ]]; do
  for set in ${sets[@]+"${sets[@]}"}; do
    [[ $text != "${set%%=*}: "* ]] || continue 2
  done
  # shellcheck disable=SC2016 # these braces are the template's, not ours
  while [[ $text == *'${'*'}'* && $text != '#'* ]]; do
    # shellcheck disable=SC2016
    name=${text#*'${'}
    name=${name%%'}'*}
    [[ -n ${!name:-} ]] || fail "${template##*/} has \${$name}, which has no value; set it in the environment or in scripts/env.local.sh"
    text=${text/"\${$name}"/"${!name}"}
  done
  printf '%s\n' "$text"
done <"$template" >"$new"
for set in ${sets[@]+"${sets[@]}"}; do
  printf '%s: %s\n' "${set%%=*}" "${set#*=}" >>"$new"
done

jar=${WEIR_JAR:-$(compgen -G "$FLINK_HOME/lib/weir-flink-*.jar" | head -1 || true)}
[[ -f $jar ]] || fail "Weir's JAR is neither in $FLINK_HOME/lib nor named by WEIR_JAR; it knows how to check the keys (scripts/build_rocksdb_options.sh installs it)"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
"$java" -cp "$FLINK_HOME/lib/*:$jar" io.weir.KnownKeys "$new" 2>"$work/unknown" || {
  sed "s|$new|the configuration|" "$work/unknown" >&2
  fail "nothing was written"
}

config=$FLINK_HOME/conf/config.yaml
old=/dev/null
[[ ! -f $config ]] || old=$config
if cmp -s "$old" "$new"; then
  say "$config is so already"
  exit 0
fi
diff -u --label "${config##*/} (now)" --label "${config##*/} (new)" "$old" "$new" || true
if [[ -n $dry_run ]]; then
  say "nothing was written (--dry-run)"
  exit 0
fi
if [[ -f $config ]]; then
  backup=$config.$(date +%Y%m%dT%H%M%S).bak
  [[ ! -e $backup ]] || backup=$backup.$$
  cp -p "$config" "$backup"
  say "kept the former one as $backup"
fi
# A rename is all or nothing: Flink never sees half a file.
cp "$new" "$config.new"
mv "$config.new" "$config"
say "wrote $config from ${template#"$here/../"}"
