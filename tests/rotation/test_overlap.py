"""The old certificate stays as long as the service provider that needs it longest says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp.rotation.plan import checked_overlap
from idp.rotation.record import RotationRefused
from idp.settings import Settings


def settings(aws_hours: int, **providers: int) -> Settings:
    return Settings.model_validate(
        {
            "keys": {"overlap_hours": aws_hours},
            "service_providers": [
                {"name": name, "overlap_hours": hours} for name, hours in providers.items()
            ],
        }
    )


def test_the_longest_of_all_is_the_default() -> None:
    assert checked_overlap(settings(72), None) == timedelta(hours=72)
    assert checked_overlap(settings(72, wiki=24, grafana=168), None) == timedelta(hours=168)
    assert checked_overlap(settings(72, wiki=24), None) == timedelta(hours=72)


def test_a_shorter_one_is_refused_with_the_name_of_who_needs_longer() -> None:
    with pytest.raises(RotationRefused, match="grafana is to see the old certificate for 168"):
        checked_overlap(settings(72, wiki=24, grafana=168), timedelta(hours=100))
    assert checked_overlap(settings(72, wiki=24), timedelta(hours=24)) == timedelta(hours=24)
    with pytest.raises(RotationRefused, match="too short"):
        checked_overlap(settings(72), timedelta(seconds=30))
