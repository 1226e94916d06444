"""What a Connection becomes in the cluster: pure functions from objects to manifests.

One file for each kind. Nothing here reads the cluster, the clock or the environment; what must
be known comes in as arguments. `all.py` is the list of everything a Connection owns.
"""
