"""Traces that are off do and load nothing; what is wrong with their settings is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from oca.common.errors import ConfigError
from oca.common.tracing import NOTHING, OFF, asks, open_tracing
from oca.common.tracing_settings import TracingTable

ON = "http://127.0.0.1:9/v1/traces"


def test_tracing_off_records_nothing_and_lets_errors_pass() -> None:
    assert open_tracing(TracingTable(), "oca", instance="a") is OFF
    assert not OFF.samples()
    with OFF.root("fill", {}, parent="x"), OFF.child("asset", {}), OFF.quiet() as span:
        span.set({"a": 1})
        span.event("a", {})
        span.fail("a")
        span.forget()
        assert (span.traceparent, span.headers, OFF.current(), OFF.counts()) == ("", {}, "", {})
    assert span is NOTHING
    with pytest.raises(KeyError), NOTHING:
        raise KeyError
    OFF.close()


def test_tracing_off_loads_no_opentelemetry() -> None:
    says = "import sys, oca.common.tracing; print('opentelemetry' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_tracing_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "oca.common.tracer", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match="the Python package opentelemetry is not installed") as caught:
        open_tracing(TracingTable(endpoint=ON), "oca", instance="a")
    assert "open-appliance[tracing]" in caught.value.remedy


@pytest.mark.parametrize("file", ["token_file", "ca_file"])
def test_tracing_says_which_file_cannot_be_read(tmp_path: Path, file: str) -> None:
    with pytest.raises(ConfigError, match=rf"tracing\.{file} = .*: cannot be read: No such file"):
        open_tracing(replace(TracingTable(endpoint=ON), **{file: str(tmp_path / "none")}), "oca", instance="a")


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("https://steering.example/x/report", "steering.example", 443),
        ("http://steering.example/x/report", "steering.example", 80),
        ("http://[2001:db8::1]:8090/x/report", "2001:db8::1", 8090),
    ],
)
def test_asks_follows_semantic_conventions(url: str, address: str, port: int) -> None:
    assert asks("POST", url, "/x/report") == {
        "http.request.method": "POST",
        "url.full": url,
        "url.template": "/x/report",
        "server.address": address,
        "server.port": port,
    }
