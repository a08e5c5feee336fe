# Everything a user or CI runs: `make help` lists it.
SHELL := /bin/bash
CONFIGURATION ?= release

.PHONY: help deps build test lint unit install

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages that building and testing need
	@.ci/install-deps

build: deps ## build the programs (release)
	swift build -c release

lint: ## format and documentation rules
	swift format lint --strict -r -p Sources Tests Package.swift
