# Weir's entry points. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
NATIVE := $(TARGET)/release/libweir_agent.so
NEXMARK_NATIVE := $(TARGET)/release/libnexmark_native.so
# One drop-in JAR for each line of Flink.
JARS := java-bridge/target/weir-flink-1.20-$(VERSION).jar java-bridge/target/weir-flink-2-$(VERSION).jar
NEXMARK_JAR := nexmark-src/target/nexmark-flink-$(VERSION).jar
# Quiet but for warnings, failures and the summaries of the tests.
MVN := mvn --batch-mode --no-transfer-progress
# End-to-end tests that put little load on the machine run beside those whose jobs are kept busy and measured; a new one counts as busy.
E2E_LIGHT := alignment configurations documentation fail_open install plain_flink profiles workflows wrong_jar
# Need two cores for themselves: with anything beside them no number of instances catches up with the step. Run in `make e2e-more`.
E2E_MORE := joint rescale
E2E_LOADED := $(filter-out $(E2E_LIGHT) $(E2E_MORE),$(basename $(notdir $(wildcard tests/tests/*.rs))))
# Seconds the demo runs once the job is up.
export DEMO_SECONDS ?= 180

# Measured points of the study; not part of this repository.
MEASURED ?= ../shared/data/nexmark-memory-parallelism.csv
# Runs with noise of each scenario, and how many at once.
SEEDS ?= 3
THREADS ?= 2

.PHONY: simulate-study ds2-decisions help build jar demo test unit e2e e2e-loaded e2e-light e2e-more bench bench-e2e memcheck accuracy fuzz real-rocksdb lint dist clean nexmark nexmark-limiter bench-nexmark flink flink2 prerequisites test-prerequisites

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

build: ## compile the native libraries and the weir binary
	cargo build --release --locked -p weir-agent -p weir-controller -p nexmark-native -p nexmark-runner -p weir-testbed

jar: build ## pack the drop-in JARs for Flink 1.20 and 2 (native library inside) and the Nexmark job
	$(MVN) -q -f java-bridge/pom.xml package -DskipTests -Dweir.native.library=$(NATIVE)
	$(MVN) -q -f java-bridge/pom.xml package -DskipTests -Dweir.native.library=$(NATIVE) -P flink-2
	$(MVN) -q -f nexmark-src/pom.xml package -DskipTests -Dnexmark.native.library=$(NEXMARK_NATIVE)
	ls -l $(JARS) $(NEXMARK_JAR)

flink:
	scripts/get_flink.sh 1.20 >/dev/null

flink2:
	scripts/get_flink.sh 2 >/dev/null

prerequisites:
	@scripts/check_prerequisites.sh

test-prerequisites:
	@scripts/check_prerequisites.sh tests

demo: prerequisites jar flink ## run two queries on a local cluster and watch memory move (DEMO_SECONDS=180)
	exec $(TARGET)/release/weir-demo

test: unit e2e ## every test; what CI runs

unit: test-prerequisites jar
	cargo test --locked --workspace --exclude weir-testbed
	cargo test --locked -p weir-testbed --lib --bins
	$(MVN) -f java-bridge/pom.xml verify -Dweir.native.library=$(NATIVE)
	$(MVN) -f java-bridge/pom.xml verify -Dweir.native.library=$(NATIVE) -P flink-2
	$(MVN) -f nexmark-src/pom.xml verify -Dnexmark.native.library=$(NEXMARK_NATIVE)
	scripts/check_deploy.sh $(TARGET)/release/weir $(firstword $(JARS))
	shellcheck -x scripts/*.sh .ci/run

e2e: test-prerequisites dist flink flink2 ## the end-to-end tests, on a real Flink and a real Prometheus
	cargo test --locked -p weir-testbed --tests --no-run
	$(MAKE) --no-print-directory -j2 e2e-loaded e2e-light

e2e-loaded:
	cargo test --locked --no-fail-fast -p weir-testbed $(E2E_LOADED:%=--test %) -- --test-threads=1 --nocapture

e2e-light:
	cargo test --locked --no-fail-fast -p weir-testbed $(E2E_LIGHT:%=--test %) -- --test-threads=1 --nocapture

e2e-more: test-prerequisites dist flink flink2 ## what `make e2e` has no time or too small a machine for: rescales by DS2, a4s and weir, the loop and recovery on Flink 2, Flink 2.1
	cargo test --locked --no-fail-fast -p weir-testbed $(E2E_MORE:%=--test %) -- --test-threads=1 --nocapture
	cargo test --locked --no-fail-fast -p weir-testbed --test memory_loop --test recovery -- --ignored --test-threads=1 --nocapture
	FLINK_HOME=$$(scripts/get_flink.sh 2.1) cargo test --locked -p weir-testbed --test flink_2 -- --test-threads=1 --nocapture

nexmark: prerequisites jar flink flink2 ## run every Nexmark query on Flink 1.20 and 2, in all memory modes, and hold the answers against DuckDB's (CHECK="q9 --line 2")
	$(TARGET)/release/nexmark check $(CHECK)

nexmark-limiter: prerequisites jar flink ## measure whether the event source keeps 1 k to 1 M events/s, over subtasks and after a rescale
	$(TARGET)/release/nexmark limiter $(LIMITER)

bench-nexmark: prerequisites jar flink ## measure the native event source beside the same one in plain Java, on one core (SOURCES="--rounds 5")
	$(TARGET)/release/nexmark sources $(SOURCES)

bench: ## time the hook, resizes, the estimator, the policy and the event generator, and print the figures
	cargo bench --locked -p weir-mrc
	cargo bench --locked -p weir-agent
	cargo bench --locked -p weir-scaling
	cargo bench --locked -p nexmark-generator --bench events

bench-e2e: prerequisites jar flink ## measure what Weir costs whole Nexmark jobs (OVERHEAD="--queries q20 --pairs 5 --seconds 30")
	$(TARGET)/release/weir-overhead $(OVERHEAD)

memcheck: ## run the agent on both builds of RocksDB under valgrind
	scripts/memcheck.sh

simulate-study: ## compare the scaling policies on MEASURED=FILE.csv in the simulator (SEEDS=3 THREADS=2), as in docs/simulator.md
	cargo run --release --locked -p weir-scaling --example simulate_study -- $(MEASURED) $(SEEDS) $(THREADS)

ds2-decisions: ## check policy ds2 against every recorded decision of the original program (beside MEASURED)
	WEIR_SHARED_DATA=$(abspath $(dir $(MEASURED))) cargo test --locked -p weir-scaling --test ds2 -- --ignored

real-rocksdb: ## open databases with every profile through rust-rocksdb, on the very library that Flink 2 ships
	scripts/real_rocksdb.sh

accuracy: ## measure the curves of `weir mrc` beside libCacheSim, write docs/accuracy.md (ACCURACY_SCALE=1)
	cargo build --release --locked -p weir-controller
	cargo build --release --locked -p weir-mrc --example synthetic_trace --example hot_paths
	python3 scripts/accuracy --weir $(TARGET)/release/weir --examples $(TARGET)/release/examples

fuzz: ## feed broken traces to the readers, FUZZ_SECONDS each (60); wants `cargo install cargo-fuzz`
	# A stable compiler with its unstable flags allowed; without a sanitizer, for there is no unsafe code in the readers.
	cd mrc && for reader in csv oracle_general rocksdb; do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run -s none $$reader -- -max_total_time=$(or $(FUZZ_SECONDS),60) -max_len=4096 || exit 1; \
	done

lint: ## formatting, clippy, shellcheck where installed
	cargo fmt --all --check
	flink-conf/build_templates.py --check
	monitoring/build_dashboards.py --check
	deploy/experiments/build_experiments.py --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	if command -v shellcheck >/dev/null; then shellcheck -x scripts/*.sh .ci/run; else echo "shellcheck is not installed, shell scripts not checked"; fi

dist: jar ## pack what an installation needs into target/, with licences, bill of materials and checksums
	scripts/dist.sh $(VERSION) $(TARGET)/release/weir $(NATIVE) $(NEXMARK_JAR) $(JARS)

clean: ## remove everything that was built (the cached Flink stays)
	cargo clean
	$(MVN) -q -f java-bridge/pom.xml clean
	$(MVN) -q -f nexmark-src/pom.xml clean
