# Steeple's commands. Each sets up what it needs, so any of them works in a fresh clone.
.PHONY: help demo federation test check bench fmt gen build faults clean
.DEFAULT_GOAL := help

node := node_modules/.bin/node
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

help:
	@echo 'make demo        two workloads get identities and talk mTLS (DEMO_KEEP=1 leaves all running)'
	@echo 'make federation  two trust domains that fetch from each other (examples/federation)'
	@echo 'make test        every test'
	@echo 'make check       format, lint, types, layers and unit tests, in under a minute'
	@echo 'make bench       the benchmarks (bench/README.md)'
	@echo 'make faults      kills programs at random moments, some hundred times'
	@echo 'make fmt         formats the sources'
	@echo 'make gen         makes src/wire/gen from proto/, docs/workload-api.md from src/workload'
	@echo 'make build       bundles the programs into dist/'

# The packages, exactly as locked. No script of theirs runs; what they ship is used as it is.
node_modules/.installed: package.json package-lock.json
	@tools/install
	@touch $@

dist/.built: node_modules/.installed $(shell find src -name '*.ts' ! -name '*.test.ts' ! -name '*.suite.ts' 2>/dev/null) tools/build.ts bin/launch.sh bin/heap-flag.sh package.json
	@$(node) tools/build.ts

build: dist/.built

demo: build
	@$(node) tools/demo/run.ts

federation: build
	@$(node) examples/federation/run.ts $(or $(PROFILE),https_spiffe)

check: node_modules/.installed
	@$(node) tools/test.ts check

test: node_modules/.installed
	@tools/prepare
	@$(node) tools/test.ts all

faults: node_modules/.installed
	@FAULTS=many $(node) tools/test.ts faults

bench: build
	@$(node) bench/run.ts

fmt: node_modules/.installed
	@biome check --write --linter-enabled=false .

gen: node_modules/.installed
	@$(node) tools/gen.ts
	@$(node) tools/api-docs.ts

clean:
	@rm -rf dist node_modules
