"""Processes that work for the proxy beside its loop (the `Aside` port)."""
