# The front door. `make help` lists what it opens; the building itself is CMake's (CMakePresets.json).

JOBS ?= $(shell nproc)
WERROR ?= OFF
PREFIX ?= /usr/local
PORT ?= 3000
ARGS ?=
SECONDS ?= 60
BINARY := build/minivault
FILES = $(shell find common supervisor worker replicator -name '*.cpp')
SOURCES = $(shell find common supervisor worker replicator tests bench -name '*.h' -o -name '*.cpp')

.DEFAULT_GOAL := build
.PHONY: help run test monitoring-test chaos soak fuzz bench bench-network bench-replication build build-optimized install package package-check package-test \
  docker-build docker-run docker-replay lint check-format check-headers tidy format clean deps lint-deps package-deps

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

run: deps ## Install what is missing, build, start one node on ./data (PORT=3000, ARGS="-procs 1 ...")
	@cmake --preset release -DMINIVAULT_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset release --parallel $(JOBS) --target minivault
	@printf '%s\n' '' 'A node on ./data. From another terminal:' '' \
	  "  curl -X PUT -d '{\"value\": \"hello\"}' localhost:$(PORT)/greeting" \
	  '  curl localhost:$(PORT)/greeting' \
	  '  curl localhost:$(PORT)/health' \
	  '' \
	  '  $(BINARY) set localhost:$(PORT) greeting "hello again"' \
	  '  $(BINARY) get localhost:$(PORT) greeting' \
	  '  $(BINARY) del localhost:$(PORT) greeting' \
	  '' 'Ctrl-C stops it.' ''
	@exec $(BINARY) -data ./data -port $(PORT) $(ARGS)

# One more than there are cores: a test with nodes mostly waits.
test: build ## Install what is missing, build, run all tests
	@ctest --preset release --parallel $$(($(JOBS) + 1)) --no-label-summary

monitoring-test: deps ## Metrics, alerts and dashboard by Prometheus' own word (installs Debian's prometheus)
	@packaging/deps.sh monitoring
	@cmake --preset release -DMINIVAULT_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset release --parallel $(JOBS) --target minivault
	@packaging/monitoring/test $(BINARY)

chaos: build ## A cluster under everything at random (MINIVAULT_CHAOS_SECONDS=120, MINIVAULT_SEED to repeat)
	@MINIVAULT_BINARY=$(CURDIR)/$(BINARY) MINIVAULT_CHAOS_SECONDS=$${MINIVAULT_CHAOS_SECONDS:-120} \
	  build/tests/test_cluster_node chaos_test

soak: build ## A node under everything at random, ten minutes (MINIVAULT_SOAK_SECONDS=600, MINIVAULT_SEED to repeat)
	@MINIVAULT_BINARY=$(CURDIR)/$(BINARY) MINIVAULT_SOAK_SECONDS=$${MINIVAULT_SOAK_SECONDS:-600} \
	  build/tests/test_node soak_test

bench: ## Measure the storage engine beside others, about 6 minutes (FULL=1: the targets' sizes, an hour)
	@packaging/deps.sh bench
	@cmake --preset bench >/dev/null
	@cmake --build --preset bench --parallel $(JOBS) --target store_bench
	@build-bench/bench/store_bench $(if $(FULL),--full) $(ARGS)

bench-network: build ## Measure a node beside Redis, memcached and nginx over loopback, an hour (ARGS="--work get-p64 --rounds 3")
	@cmake --build --preset release --parallel $(JOBS) --target bench_floor
	@bench/compare --minivault $(BINARY) --dir build --json build/bench-network.json $(ARGS)

bench-replication: build ## Measure three nodes together, beside etcd and Redis with replicas (ARGS="--row writes --rounds 3")
	@packaging/deps.sh bench
	@cmake --build --preset release --parallel $(JOBS) --target bench_delay
	@bench/replicate --minivault $(BINARY) --dir build --json build/bench-replication.json $(ARGS)

fuzz: deps lint-deps ## Search for inputs that break the parsers, SECONDS (60) each; what was found stays in build-fuzz
	@cmake --preset fuzz -DMINIVAULT_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset fuzz --parallel $(JOBS)
	@tests/fuzz/run build-fuzz/tests/fuzz $(SECONDS) $(ARGS)

build: deps ## build/minivault, for this machine to work with
	@cmake --preset release -DMINIVAULT_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset release --parallel $(JOBS)

build-optimized: deps ## build-optimized/minivault, as it is shipped
	@cmake --preset optimized -DMINIVAULT_WERROR=$(WERROR) >/dev/null
	@cmake --build --preset optimized --parallel $(JOBS)

install: build-optimized ## Program, unit, man pages, completion below $(DESTDIR)$(PREFIX), configuration in /etc/minivault
	@cmake --install build-optimized --prefix $(PREFIX)

package: build-optimized package-deps ## build-package/*.deb and *.rpm
	@packaging/build

package-check: build-optimized package-deps ## Contents, lint, unit, man pages, completion, the RPM's life: 30 s
	@packaging/check

package-test: build-optimized package-deps ## Install, start, upgrade, remove, purge in a Debian of its own (root): minutes
	@packaging/test

docker-build: ## The image minivault:latest (needs Docker)
	docker build --tag minivault:latest .

docker-run: docker-build ## A node in a container, data in the volume minivault-data (PORT=3000)
	docker run --rm --interactive --tty --name minivault --publish 127.0.0.1:$(PORT):3000 \
	  --volume minivault-data:/data --ulimit nofile=65536:65536 minivault:latest $(ARGS)

docker-replay: package-deps ## What the Dockerfile does, without Docker, in a Debian of its own (root): minutes
	@packaging/replay-dockerfile

lint: check-format check-headers tidy ## Check format, compile each header alone, run clang-tidy (FILES: on what)

check-format: lint-deps
	@clang-format-14 --dry-run -Werror $(SOURCES)

check-headers: lint-deps
	@cmake --preset clang -DMINIVAULT_WERROR=ON >/dev/null
	@cmake --build --preset clang --parallel $(JOBS) --target checkheaders

tidy: lint-deps
	@cmake --preset clang -DMINIVAULT_WERROR=ON >/dev/null
	@printf '%s\n' $(FILES) | xargs -n 1 -P $(JOBS) clang-tidy-14 -quiet -p build-clang >build-clang/tidy.log 2>&1 || \
	  { grep -A4 -E '(warning|error):|rror while' build-clang/tidy.log; false; }

format: lint-deps ## Put every source into the project's format
	@clang-format-14 -i $(SOURCES)

clean: ## Remove everything that was built; ./data stays
	rm -rf build build-*/

deps:
	@packaging/deps.sh

lint-deps:
	@packaging/deps.sh lint

package-deps:
	@packaging/deps.sh package
