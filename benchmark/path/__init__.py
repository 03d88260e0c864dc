"""How long the node takes for all that is not the network: `python -m benchmark.path`."""
