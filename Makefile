# The front door. The work is done by crates/xtask.
XTASK := cargo run --quiet --package xtask --

.PHONY: help build servers check unit test soak demo bench

help:
	@echo "make demo     move a live database between two real servers and watch it (KEEP=1 leaves them up)"
	@echo "make test     everything: formatting, lints, tidy, and all tests on real servers"
	@echo "make unit     tests that need no server"
	@echo "make check    formatting, lints, tidy"
	@echo "make soak     the long runs"
	@echo "make bench    load and stream against MySQL's own tools"
	@echo "make servers  fetch the test servers into the cache folder"

build:
	cargo build --release --package wherry-cli

servers:
	$(XTASK) servers

check:
	$(XTASK) check

unit:
	$(XTASK) unit

test:
	$(XTASK) test

soak:
	$(XTASK) soak

demo:
	$(XTASK) demo $(if $(filter-out 0,$(KEEP)),--keep)

bench:
	$(XTASK) bench
