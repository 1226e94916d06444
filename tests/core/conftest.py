"""Property tests here are pure: what they may take is bounded by their examples, not by a clock
that other work on the machine slows down."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("pure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pure")
