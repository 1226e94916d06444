"""Mutation testing: breaks the code on purpose, one place at a time, and asks whether a test falls.

`python -m mutants` prints a score for each area and the mutants that survived. `docs/testing.md` says how.
"""
