import re
from pathlib import Path

import msgspec
import pytest

from oca.common.errors import ConfigError
from oca.common.settings import keys, render_default
from oca.common.settings_schema import split, tables
from oca.settings import HEADING, ApplianceSettings, load_admin, load_settings

WHO = '[appliance]\nid = "fra1-a"\nsite = "fra1"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "appliance.toml"
    path.write_text(text)
    return path


def test_settings_load_printed_default(tmp_path: Path) -> None:
    loaded = load_settings(write(tmp_path, render_default(ApplianceSettings, heading=HEADING)))
    assert loaded.delivery.listen == ("0.0.0.0:8080",)
    assert loaded.delivery.workers == 0
    assert loaded.admin.listen == "127.0.0.1:8088"
    assert loaded.store.devices == ("/var/lib/oca/nvme0",)
    assert loaded.steering.url == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[admin]\nlisten = "127.0.0.1:8080"\n[delivery]\nlisten = ["127.0.0.1:8080"]\n',
            "is in delivery.listen too; give each",
        ),
        ('[delivery]\nlisten = ["127.0.0.1:80", "127.0.0.1:80"]\n', "names an address twice; leave"),
        ("[delivery]\nlisten = []\n", "listen and tls.listen are both empty; name an address to serve on"),
        ('[delivery.tls]\nlisten = ["0.0.0.0:8443"]\n', "no certificate; add [[delivery.tls.certificates]]"),
        ('[admin]\nlisten = "8088"\n', 'admin.listen = "8088": must be text, an IP address and a port, like'),
        ('[admin]\nlisten = "1.2.3.4:99999"\n', "is not an IP address and a port; write it like"),
        ('[delivery]\nlisten = ["localhost:80"]\n', "must be a list of text, at most 8 entries, each an IP address"),
        ("[delivery]\nworkers = -1\n", "delivery.workers = -1: must be a whole number, 0 to 256"),
        (
            '[drain]\nthen = "redirect"\n',
            "drain.then redirect has nowhere to redirect to; set delivery.miss.fallback_url",
        ),
        ('[delivery.miss]\npolicy = "redirect"\n', "[delivery.miss]: policy redirect has nowhere to redirect to; set"),
        (
            '[delivery.overload]\nanswer = "redirect"\n',
            "[delivery]: overload.answer redirect has nowhere to redirect to",
        ),
        (
            '[delivery]\nurls = ["https://box.example"]\n[delivery.miss]\nfallback_url = "https://box.example/x"\n',
            "delivery.miss.fallback_url = https://box.example/x is this box; name another server",
        ),
        ('[log]\nlevel = "loud"\n', 'log.level = "loud": must be one of debug, info, warning, error'),
    ],
)
def test_settings_name_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, WHO + text))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\\A" not in str(caught.value)  # a pattern is not a sentence


def test_settings_of_admin_load_whatever_else_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, '[admin]\nlisten = "127.0.0.1:9"\n[store]\ndevices = []\n')
    assert load_admin(path).listen == "127.0.0.1:9"
    assert load_admin(None).listen == "127.0.0.1:8088"


def test_settings_put_every_pattern_into_words() -> None:
    wordless = []
    for table in tables(ApplianceSettings):
        for field in msgspec.structs.fields(table.struct):
            kind, meta = split(field.type)
            inner = [split(each)[1] for each in getattr(kind, "__args__", ()) if each is not Ellipsis]
            if any(each.pattern and not (each.extra or {}).get("form") for each in (meta, *inner)):
                wordless.append(f"{table.name}.{field.name}")
    assert not wordless


def test_settings_say_what_each_key_means() -> None:
    for key in keys(ApplianceSettings):
        assert re.match(r"[A-Z\"'].*[.:]", key.meaning), key.dotted
