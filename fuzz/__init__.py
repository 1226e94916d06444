"""Fuzzing: each target is a module to run (`python -m fuzz.template --seconds 60`)."""
