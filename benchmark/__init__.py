"""Speed and memory beside the other implementations of SAM 2, in one run: `python -m benchmark --help`."""
