# What a person does with this tree. `make test` is what .ci/run runs.

SHELL := /bin/sh
CARGO ?= cargo
# The lowest version of cargo that builds this; rust-version in Cargo.toml says the same.
NEEDED := 1.95
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Whether a tool is there that cargo can install, and how if not.
has = @command -v $(1) >/dev/null || { echo '$(1) is missing: cargo install --locked $(1)' >&2; exit 1; }

.PHONY: help build install demo test deny sbom lab bench docs pages cargo tools root

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

build: cargo ## target/release/holdfast and target/release/holdfast-agent
	$(CARGO) build --release --package holdfast-server
	$(CARGO) build --profile agent --package holdfast-agent
	@install $(TARGET)/agent/holdfast-agent $(TARGET)/release/

install: ## both programs and their units on this machine, as root; DESTDIR for another root
	@[ -x $(TARGET)/release/holdfast ] || { echo 'run make build first, as yourself' >&2; exit 1; }
	install -D -t $(DESTDIR)/usr/bin $(TARGET)/release/holdfast $(TARGET)/release/holdfast-agent
	install -D -m 644 -t $(DESTDIR)/lib/systemd/system server/systemd/holdfast-server.service \
	    agent/systemd/holdfast-agent.service
	install -d $(DESTDIR)/etc/holdfast
	install -D -m 644 server/systemd/holdfast-server.sysusers $(DESTDIR)/usr/lib/sysusers.d/holdfast-server.conf
	[ -n "$(DESTDIR)" ] || { systemd-sysusers && systemctl daemon-reload; }

demo: cargo tools ## a server, three nodes, a commit, a drift; ONCE=1 ends by itself
	$(CARGO) build --workspace --bin holdfast --bin holdfast-agent --bin demo
	$(TARGET)/debug/demo $(if $(ONCE),--once)

test: cargo tools ## every test that CI runs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) test --workspace

deny: cargo ## licences, sources, versions and advisories of what this depends on, and what nothing uses
	$(call has,cargo-deny)
	$(call has,cargo-machete)
	$(CARGO) deny check
	$(CARGO) machete

sbom: cargo ## what both programs are made of, as CycloneDX, in target/sbom
	$(CARGO) run --package harness --bin sbom

lab: root cargo tools ## the acceptance tests on booted hosts; needs root
	HOLDFAST_REQUIRE_LAB=1 $(CARGO) test --package acceptance --test all

bench: cargo ## the benchmarks beside their targets
	HOLDFAST_PROFILE=release $(CARGO) run --release --package acceptance --bin bench

docs: cargo ## the book as a site, in target/book, and man pages, in target/man
	$(CARGO) run --package acceptance --bin book

pages: cargo ## regenerates what is made from definitions: the reference, modules' READMEs, output on pages
	HOLDFAST_BLESS=1 $(CARGO) test --package acceptance --test all -- reference:: docs::what_the_pages_show_is_so

# Installing needs root; without, what is missing is said where it is needed.
tools:
	@if [ "$$(id -u)" = 0 ]; then tests/install.sh; fi

root:
	@[ "$$(id -u)" = 0 ] || { echo 'make lab boots hosts, which needs root: sudo make lab' >&2; exit 1; }

cargo:
	@have=$$($(CARGO) --version 2>/dev/null | cut -d' ' -f2); \
	if [ -z "$$have" ]; then \
	    echo 'cargo is missing: this needs cargo $(NEEDED) or newer, see https://rustup.rs' >&2; exit 1; \
	fi; \
	if [ "$$(printf '%s\n' '$(NEEDED)' "$$have" | sort -V | head -n1)" != '$(NEEDED)' ]; then \
	    echo "cargo $$have is too old: this needs cargo $(NEEDED) or newer, see https://rustup.rs" >&2; exit 1; \
	fi
