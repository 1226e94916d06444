"""Settings come from the environment, and a bad one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse_proxy.settings import Address, BadSettings, StoreKind, read_settings

GOOD = {
    "TOLLHOUSE_STORE": "folder",
    "TOLLHOUSE_FOLDER": "/srv/shop",
    "TOLLHOUSE_NAMESPACE": "shop",
    "TOLLHOUSE_CONNECTION": "orders-db",
}


def test_defaults_serve_where_nothing_is_said() -> None:
    settings = read_settings(GOOD)
    assert settings.store is StoreKind.FOLDER
    assert settings.folder == Path("/srv/shop")
    assert settings.listen.port == 5432
    assert settings.instance
    assert settings.audit_stdout


def test_the_audit_file_is_bounded_where_stdout_keeps_everything() -> None:
    assert read_settings(GOOD).audit_file_bytes == 512 * 1024 * 1024
    assert read_settings(GOOD | {"TOLLHOUSE_AUDIT_STDOUT": "false"}).audit_file_bytes == 0
    assert read_settings(GOOD | {"TOLLHOUSE_AUDIT_FILE_BYTES": "2000000"}).audit_file_bytes == 2_000_000
    assert read_settings(GOOD | {"TOLLHOUSE_AUDIT_FILE_BYTES": "0"}).audit_file_bytes == 0


def test_an_address_may_be_ipv6() -> None:
    assert read_settings(GOOD | {"TOLLHOUSE_LISTEN": "[::1]:6000"}).listen == Address("::1", 6000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TOLLHOUSE_STORE": "etcd"}, "TOLLHOUSE_STORE must be kubernetes or folder, not 'etcd'"),
        ({"TOLLHOUSE_STORE": ""}, "TOLLHOUSE_STORE is missing"),
        ({"TOLLHOUSE_FOLDER": ""}, "TOLLHOUSE_FOLDER is missing"),
        ({"TOLLHOUSE_CONNECTION": ""}, "TOLLHOUSE_CONNECTION is missing"),
        ({"TOLLHOUSE_AUDIT_FILE_BYTES": "1G"}, "TOLLHOUSE_AUDIT_FILE_BYTES must be a number of bytes"),
        ({"TOLLHOUSE_AUDIT_FILE_BYTES": "100"}, "TOLLHOUSE_AUDIT_FILE_BYTES must be a number of bytes"),
        ({"TOLLHOUSE_LISTEN": "5432"}, "TOLLHOUSE_LISTEN must be host:port, not '5432'"),
        ({"TOLLHOUSE_LISTEN": "localhost:99999"}, "TOLLHOUSE_LISTEN must be host:port"),
        ({"TOLLHOUSE_DRAIN_SECONDS": "soon"}, "TOLLHOUSE_DRAIN_SECONDS must be a number of seconds"),
        ({"TOLLHOUSE_DRAIN_SECONDS": "nan"}, "TOLLHOUSE_DRAIN_SECONDS must be a number of seconds"),
        ({"TOLLHOUSE_AUDIT_STDOUT": "maybe"}, "TOLLHOUSE_AUDIT_STDOUT must be true or false"),
    ],
)
def test_a_bad_setting_is_named(change: dict[str, str], words: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings(GOOD | change)
    assert words in str(caught.value)
