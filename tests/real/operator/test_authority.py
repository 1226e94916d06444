"""The operator's own secrets on a real API server: made once, renewed in time, never replaced in silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from kit.control_plane import ControlPlane
from tollhouse_operator.authority import SECRET, ensure_authority
from tollhouse_operator.certificates import AUTHORITY_LIFE, BadKeyPair, new_serving_certificate, why_renew
from tollhouse_operator.cluster import Cluster

pytestmark = pytest.mark.apiserver

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def cluster(plane: ControlPlane) -> AsyncIterator[Cluster]:
    made = Cluster(str(plane.kubeconfig()))
    yield made
    await made.close()


@pytest.fixture
def place(plane: ControlPlane) -> str:
    return plane.namespace("authority")


async def test_it_is_made_once_however_many_ask(cluster: Cluster, place: str) -> None:
    found = await asyncio.gather(*(ensure_authority(cluster, place, NOW) for _ in range(5)))
    assert len({one.trusted_pem for one in found}) == 1
    again = await ensure_authority(cluster, place, NOW)
    assert again.trusted_pem == found[0].trusted_pem
    assert again.mask_master == found[0].mask_master


async def test_near_its_end_a_new_one_signs_and_the_old_one_stays_trusted(
    cluster: Cluster, place: str
) -> None:
    first = await ensure_authority(cluster, place, NOW)
    old = new_serving_certificate(first.pair, ("orders-db",), NOW + AUTHORITY_LIFE - timedelta(days=200))
    late = NOW + AUTHORITY_LIFE - timedelta(days=100)
    second = await ensure_authority(cluster, place, late)
    assert second.pair.certificate_pem != first.pair.certificate_pem
    assert len(x509.load_pem_x509_certificates(second.trusted_pem.encode())) == 2
    assert first.pair.certificate_pem in second.trusted_pem
    assert second.mask_master == first.mask_master
    why = why_renew(old, second.pair.certificate_pem, ("orders-db",), late)
    assert why == "it was not signed by the present authority"


async def test_one_that_cannot_be_read_is_a_persons_to_throw_away(
    cluster: Cluster, place: str, plane: ControlPlane
) -> None:
    await ensure_authority(cluster, place, NOW)
    change = json.dumps({"data": {"ca.key": None}})
    plane.kubectl("-n", place, "patch", "secret", SECRET, "--type=merge", "-p", change, check=True)
    with pytest.raises(BadKeyPair, match=r"lacks ca\.key; delete it to have a new authority made"):
        await ensure_authority(cluster, place, NOW)
    plane.kubectl("-n", place, "delete", "secret", SECRET, check=True)
    assert await ensure_authority(cluster, place, NOW)


async def test_one_that_is_no_text_is_said_to_be_so(
    cluster: Cluster, place: str, plane: ControlPlane
) -> None:
    await ensure_authority(cluster, place, NOW)
    change = json.dumps({"data": {"ca.key": "//79"}})
    plane.kubectl("-n", place, "patch", "secret", SECRET, "--type=merge", "-p", change, check=True)
    with pytest.raises(BadKeyPair, match="holds something that is no text"):
        await ensure_authority(cluster, place, NOW)
