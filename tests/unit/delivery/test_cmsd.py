import pytest

from oca.common.messages import Load
from oca.delivery.cmsd import TCP_INFO, Advice, Path, advise, busy_ratio, field_line, path_of
from oca.delivery.pacing_settings import CmsdTable


def told(
    *,
    app_limited: bool = False,
    segment: int = 1448,
    rtt_us: int = 20_000,
    window: int = 100,
    acknowledged: int = 10**6,
    rate: int = 5_000_000,
) -> bytes:
    return TCP_INFO.pack(int(app_limited) | 6, segment, rtt_us, window, acknowledged, rate)


def test_path_tells_measured_rate_where_nothing_held_it_back() -> None:
    assert TCP_INFO.size == 168
    assert path_of(told(), is_paced=False) == Path(40_000, 20)
    assert path_of(told(rtt_us=300, rate=12_345_678), is_paced=False) == Path(98_800, 1)


@pytest.mark.parametrize(("app_limited", "is_paced"), [(True, False), (False, True)])
def test_path_tells_what_window_allows_where_sending_was_held_back(app_limited: bool, is_paced: bool) -> None:
    # 100 segments of 1448 bytes in 20 ms: 7.24 MB/s.
    assert path_of(told(app_limited=app_limited), is_paced=is_paced) == Path(57_900, 20)
    assert path_of(told(app_limited=app_limited, window=10), is_paced=is_paced) == Path(40_000, 20)


def test_path_tells_no_throughput_before_there_is_a_sample() -> None:
    assert path_of(told(acknowledged=65_535), is_paced=False) == Path(0, 20)
    assert path_of(told(rtt_us=0, app_limited=True), is_paced=False) == Path(40_000, 0)
    assert path_of(told(rate=1), is_paced=False) == Path(0, 20)
    assert path_of(told(rate=1000), is_paced=False) == Path(100, 20)


@pytest.mark.parametrize(
    ("sent", "link", "cpu", "mbits", "busy"),
    [
        (600, 1000, 0.2, 0.0, 0.6),
        (600, 1000, 0.7, 0.0, 0.7),
        (600, 0, 0.2, 0.0, 0.2),
        (250_000, 1000, 0.2, 4.0, 0.5),
    ],
)
def test_busy_ratio_is_that_of_link_or_cpu(sent: float, link: float, cpu: float, mbits: float, busy: float) -> None:
    load = Load(connections=1, sent_bytes_per_s=sent, link_bytes_per_s=link, cpu_ratio=cpu)
    assert busy_ratio(load, CmsdTable(link_mbits_per_s=mbits)) == busy


@pytest.mark.parametrize(
    ("busy", "advice"),
    [
        (0.0, Advice()),
        (0.799, Advice()),
        (0.8, Advice(16_000, is_short=True)),
        (0.9, Advice(4000, is_short=True)),  # half way down from 16 to 1: by a factor of four
        (0.95, Advice(2000, is_short=True)),
        (1.0, Advice(1000, is_short=True)),
        (1.5, Advice(1000, is_short=True)),
    ],
)
def test_advice_steps_down_as_box_fills(busy: float, advice: Advice) -> None:
    settings = CmsdTable(shed_from_ratio=0.8, shed_highest_mbits_per_s=16, shed_lowest_mbits_per_s=1)
    assert advise(busy, settings) == advice


@pytest.mark.parametrize(
    ("path", "advice", "line"),
    [
        (Path(0, 0), Advice(), b""),
        (Path(25_400, 12), Advice(), b'CMSD-Dynamic: "fra1-a";etp=25400;rtt=12\r\n'),
        (Path(0, 12), Advice(4000, is_short=True), b'CMSD-Dynamic: "fra1-a";du;mb=4000;rtt=12\r\n'),
        (Path(0, 0), Advice(bitrate_max=4000), b'CMSD-Dynamic: "fra1-a";mb=4000\r\n'),
    ],
)
def test_field_line_tells_what_is_known(path: Path, advice: Advice, line: bytes) -> None:
    assert field_line("fra1-a", path, advice) == line
