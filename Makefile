# Commands for users and CI; `make help` lists them.
SHELL := /bin/bash

.PHONY: help deps build test unit fuzz attack sanitize coverage lint install install-bench uninstall
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages needed for building and testing
	@.ci/install-deps

build: deps ## build the programs
	swift build -c release

test: ## build and run all tests, with real QEMU, guests and KMS
	@.ci/test

unit: ## run the tests that do not need a virtual machine
	@.ci/test unit

SECONDS ?= 20
fuzz: deps ## fuzz what takes bytes from outside, each target for SECONDS seconds
	Tests/Fuzz/run --seconds $(SECONDS)

KILLS ?= 1000
attack: build ## attack the programs, and kill them KILLS times, beside VMs that show frames (10 minutes)
	.build/release/test-attack --kills $(KILLS)

sanitize: deps ## run the unit tests under the address sanitizer and under the thread sanitizer
	.ci/sanitize

coverage: deps ## print how much of Sources the unit tests execute, and fail below 85 %
	.ci/coverage

lint: ## check formatting and documentation
	swift format lint --strict -r -p Sources Tests Package.swift

PREFIX ?= /usr/local
# The administrator's directory for vhost-user backend descriptions of QEMU and libvirt (vhost-user.json).
DISCOVERY ?= /etc/qemu/vhost-user

# The backend is in bin: libvirt's AppArmor profile lets libvirt run programs of /usr/bin, and none of ours in /usr/libexec.
PROGRAMS := framepathd framepath framepath-ivshmem framepath-guest framepath-vhost-user-gpu
# Installing needs no compiler and no network: sudo's PATH may lack the toolchain.
BUILT := .build/release
built = @test -x $(BUILT)/$(1) || { echo "$(BUILT)/$(1) is missing: run make build first, without sudo" >&2; exit 1; }

install: ## install the programs and the backend description for libvirt (PREFIX, DESTDIR, DISCOVERY)
	$(call built,framepathd)
	install -D -t $(DESTDIR)$(PREFIX)/bin $(addprefix $(BUILT)/,$(PROGRAMS))
	install -D -t $(DESTDIR)$(PREFIX)/libexec $(BUILT)/framepathd-config
	rm -f $(DESTDIR)$(PREFIX)/libexec/framepath-vhost-user-gpu
	install -d $(DESTDIR)$(DISCOVERY)
	sed 's#@BINARY@#$(PREFIX)/bin/framepath-vhost-user-gpu#' \
	  Sources/framepath-vhost-user-gpu/Discovery/50-framepath-gpu.json.in > $(DESTDIR)$(DISCOVERY)/50-framepath-gpu.json

install-bench: ## install the benchmark for `framepath bench`, with the same PREFIX and DESTDIR
	$(call built,framepath-bench)
	install -D -t $(DESTDIR)$(PREFIX)/libexec $(BUILT)/framepath-bench $(BUILT)/libframepath-copy-counter.so

uninstall: ## remove the installed files, with the same PREFIX, DESTDIR and DISCOVERY
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(PROGRAMS)) \
	  $(addprefix $(DESTDIR)$(PREFIX)/libexec/,framepath-vhost-user-gpu framepathd-config framepath-bench libframepath-copy-counter.so) \
	  $(DESTDIR)$(DISCOVERY)/50-framepath-gpu.json

-include Tests/Lab/lab.mk
