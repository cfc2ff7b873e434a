"""Settings that make no sense, and addresses that need a key."""

import pytest

from sentilab.errors import SentilabError, SettingsError
from sentilab.serve import Address, ServiceSettings
from sentilab.serve.access import host_name, is_loopback


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_texts": 0}, "batch_texts is 0"),
        ({"answer_seconds": 0.0}, "answer_seconds"),
        ({"answer_seconds": float("nan")}, "answer_seconds"),
        ({"wait_ms": -1.0}, "wait_ms"),
        ({"queue_texts": 10}, "could never be accepted"),
        ({"queue_bytes": 10}, "could never be accepted"),
        ({"keys": ("short",)}, "at least 16 characters"),
        ({"keys": ("a key with spaces in it",)}, "no spaces"),
        ({"origins": ("example.org",)}, "is not an origin"),
        ({"origins": ("https://example.org/page",)}, "is not an origin"),
        ({"origins": ("*",)}, "is not an origin"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ServiceSettings(**changes)  # type: ignore[arg-type]


def test_a_key_is_never_shown() -> None:
    key = "a-key-of-more-than-16-characters"
    assert key not in repr(ServiceSettings(keys=(key,)))
    with pytest.raises(SettingsError) as refused:
        ServiceSettings(keys=("short secret",))
    assert "secret" not in str(refused.value).replace("import secrets; print(secrets", "")


def test_what_is_loopback() -> None:
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1"):
        assert is_loopback(host), host
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"):
        assert not is_loopback(host), host


def test_a_host_header_is_read_without_its_port() -> None:
    assert host_name("Example.ORG:80") == "example.org"
    assert host_name("[::1]:8000") == "::1"
    assert host_name("[::1]") == "::1"
    assert host_name("127.0.0.1.") == "127.0.0.1"


def test_a_port_that_is_taken_is_an_error_that_names_a_way_out() -> None:
    taken = Address.bind("127.0.0.1", 0)
    try:
        taken.socket.listen()
        with pytest.raises(SentilabError, match="--port 0"):
            Address.bind("127.0.0.1", taken.port)
        assert taken.url == f"http://127.0.0.1:{taken.port}"
    finally:
        taken.socket.close()


def test_a_host_that_is_not_here_is_an_error() -> None:
    with pytest.raises(SentilabError):
        Address.bind("203.0.113.1", 0)
