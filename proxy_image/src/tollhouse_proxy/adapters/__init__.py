"""The outside world behind the ports: stores, identity, credentials, audit sinks, status.

Each adapter is the only importer of the library it wraps, and turns that library's errors into
the port's. Nothing here decides anything about policy.
"""
