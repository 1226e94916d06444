"""What the guard and the runtime ask of the outside world, as protocols (PEP 544).

No implementation lives here. Each port has one conformance test that every adapter passes.
"""
