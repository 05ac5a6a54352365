# Two commands matter: `make demo` and `make test`. Both do all the set-up and say what is missing if they can't go on.

.PHONY: demo test bench fmt assets tools test-tools bench-tools clean
.DEFAULT_GOAL := demo

# A rally that is live already, on embedded defaults. ARGS="--listen 127.0.0.1:9000" goes through to it.
demo: assets
	cargo build --locked
	./target/debug/groundswell demo $(ARGS)

# Two tests to a core: over sockets most of them wait, for pictures that come in their own time and for a clock.
TEST_THREADS = $(shell echo $$(($$(nproc) * 2)))

# Everything that is promised, shown: formatting, lints, domain, log, sockets, processes, crashes, a real browser.
test: assets test-tools
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUST_TEST_THREADS=$(TEST_THREADS) cargo test --locked
	npm run --silent test:browser

# Ratios beside a peer or a physical limit in the same run.
bench: assets bench-tools
	cargo bench --locked
	cargo build --release --locked
	GROUNDSWELL_BIN=target/release/groundswell node benches/broadcast.mjs
	GROUNDSWELL_BIN=target/release/groundswell node benches/latency.mjs

fmt:
	cargo fmt

# The browser's files: bundled, named by their content, embedded by the build.
assets: tools static/dist/manifest.json

static/dist/manifest.json: node_modules/.package-lock.json static/build.mjs $(wildcard static/src/*)
	npm run --silent build

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

tools:
	@sh tests/setup.sh build

test-tools: .venv/bin/localstripe
	@sh tests/setup.sh test

bench-tools:
	@sh tests/setup.sh bench

.venv/bin/localstripe: tests/requirements.txt
	@sh tests/setup.sh python
	python3 -m venv .venv
	.venv/bin/python3 -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

clean:
	rm -rf target node_modules static/dist .venv test-results
