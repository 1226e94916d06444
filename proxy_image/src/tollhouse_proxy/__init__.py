"""The data path: one process that serves one Connection.

Layers, outermost first: main, runtime and adapters, registry, guard and protocols, ports, kits,
exchange. All awaiting is in `runtime` and `adapters`; protocols are state machines.
"""
