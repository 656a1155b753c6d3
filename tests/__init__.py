"""All tests; none of them depends on how fast the machine is."""

from hypothesis import HealthCheck, settings

# The first example may wait for tables of Unicode to be made, and be taken for slow.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
