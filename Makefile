# make demo, make page, make test, make lint, make train: each sets up what it needs in .venv.

PYTHON ?= python3
# What pip is to install: PyTorch's build for CPUs, since that of PyPI brings several GB of CUDA. TORCH=torch takes it.
# Alone: what it needs comes from PyPI, with the rest.
TORCH ?= --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0
VIDEO ?=
BOX ?=
ARGUMENTS ?=

BIN := .venv/bin
# Threads that wait should not keep a core busy: camera, node and client share few of them.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help demo page test lint train clean
help:
	@echo 'make demo                        track two objects on a simulated table; see demo/'
	@echo 'make demo VIDEO=clip.mp4 BOX=x0,y0,x1,y1   track an object of your own video'
	@echo 'make page                        click on objects of that table, or of a VIDEO, in a browser'
	@echo 'make test                        run the tests'
	@echo 'make lint                        run ruff and mypy'
	@echo 'make train                       train the embedded model; goes on where it stopped'
	@echo 'make clean                       remove .venv and everything that was built'

demo: .venv/ready
	$(BIN)/sam2_ros demo $(if $(VIDEO),--video '$(VIDEO)') $(if $(BOX),--box '$(BOX)') $(ARGUMENTS)

page: .venv/ready
	$(BIN)/sam2_ros demo --page $(if $(VIDEO),--video '$(VIDEO)') $(ARGUMENTS)

test: .venv/develop
	$(BIN)/python -m pytest $(ARGUMENTS)

lint: .venv/develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sam2_ros training benchmark examples

train: .venv/ready
	$(BIN)/pip install --quiet --group train
	$(BIN)/python -m training.train $(ARGUMENTS)

clean:
	rm -rf .venv build demo sam2_ros/msg sam2_ros/srv sam2_ros/*.so *.egg-info

.venv/torch:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' || \
	  { echo 'sam2_ros needs Python 3.10 to 3.14; choose one with PYTHON=python3.12'; exit 1; }
	@command -v cmake > /dev/null && command -v c++ > /dev/null && $(PYTHON) -c 'import ensurepip, os, sysconfig; \
	  os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2> /dev/null || \
	  { echo 'CMake, a C++ compiler, or something of Python is missing: sudo apt-get install cmake g++' \
	    '$(notdir $(PYTHON))-dev $(notdir $(PYTHON))-venv'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install $(TORCH)
	@touch $@

# The working tree's own modules are used; the messages are built again whenever their sources change.
.venv/ready: .venv/torch pyproject.toml setup.py CMakeLists.txt package.xml $(wildcard msg/*.msg srv/*.srv)
	$(BIN)/pip install --editable '.[demo]'
	@touch $@

.venv/develop: .venv/ready
	$(BIN)/pip install --group test --group lint
	@touch $@
