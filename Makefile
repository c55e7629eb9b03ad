# The commands of this project; `make help` lists them.
SHELL := /bin/bash
STATE ?= $(CURDIR)/.run
HEARTH := .build/release/hearth
export HEARTH_COORDINATOR ?= http://127.0.0.1:7070
export HEARTH_TOKEN_FILE ?= $(STATE)/coordinator/token
export HEARTH_STATE := $(STATE)

.PHONY: help setup build model run demo-fleet up down test deb soak bench bench-peers bench-vulkan-peers bench-llm-peers bench-placement bench-overhead shaders format lint clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | sort | expand -t 12

setup: ## Install missing system packages
	@scripts/setup

build: setup ## Build everything, optimised
	@scripts/build

model: ## Fetch the default model into the cache, checked
	@scripts/fetch-model

run: build model ## Run a real model as a job through coordinator and agent, then stop
	@scripts/demo

demo-fleet: build model ## Three sites on this host: jobs go where their data may be, and a proof of one
	@scripts/demo-fleet

up: build model ## Start coordinator and agent, leave them running
	@scripts/fleet up

down: ## Stop what `make up` started
	@scripts/fleet down

test: setup ## Everything that must hold
	@scripts/test

deb: build ## A Debian package of this build, in .build/deb
	@scripts/deb

soak: build model ## A thousand random SIGKILLs of agent, coordinator and jobs (about half an hour)
	@scripts/soak

bench: build ## Kernel timings beside this machine's measured ceilings
	@$(HEARTH) bench

bench-peers: build ## Hearth among ten other runtimes in one interleaved run (fetches them: 8 GB; about half an hour)
	@Benchmarks/peers/run.sh

bench-vulkan-peers: build ## Hearth's Vulkan kernels beside ggml's and ncnn's on one software driver
	@Benchmarks/peers/run.sh vulkan

bench-llm-peers: build model ## Hearth's server beside llama.cpp's on one model, interleaved (about 4 minutes)
	@Benchmarks/llm/run.sh

bench-placement: build ## Predicted against actual time of 100 jobs of mixed kernels (about 6 minutes)
	@Benchmarks/placement/run.py

bench-overhead: build ## What an idle agent takes, and a coordinator that gets 1,000 reports a second (about 2 minutes)
	@Benchmarks/overhead/run.py

shaders: ## Recompile shaders with the pinned compiler
	@scripts/shaders.py tools
	@scripts/shaders.py build

format: ## Format Swift, C and Slang
	@scripts/format

lint: ## Check formatting and layering
	@scripts/format --check

clean: ## Remove build products and the local fleet's state
	@scripts/fleet down 2>/dev/null || true
	@rm -rf .build "$(STATE)"
