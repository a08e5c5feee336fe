# Everything a user or CI runs: `make help` lists it.
SHELL := /bin/bash

.PHONY: help deps build test unit lint
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages that building and testing need
	@.ci/install-deps

build: deps ## build the programs
	swift build -c release

test: ## build and run everything, on real QEMU, real guests and real KMS
	@.ci/test

unit: ## the tests that need no virtual machine
	@.ci/test unit

lint: ## format and documentation rules
	swift format lint --strict -r -p Sources Tests Package.swift

-include Tests/Lab/lab.mk
