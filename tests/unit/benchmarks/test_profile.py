import pytest

from benchmarks.profile import PARTS, part_of, shares

SENDFILE = """\
        ffffffff81a2b3c4 skb_append_pagefrags ([kernel.kallsyms])
        ffffffff81a2b3c4 splice_to_socket ([kernel.kallsyms])
        ffffffff8140f00d __x64_sys_sendfile64 ([kernel.kallsyms])
        ffffffff81e00f00 do_syscall_64 ([kernel.kallsyms])
            7f00deadbeef sendfile (/usr/lib/x86_64-linux-gnu/libc.so.6)
"""
PYTHON = "        7f00aa _PyEval_EvalFrameDefault (/opt/python/lib/libpython3.11.so.1.0)\n"
TIMER = "        ffffffff8100 hrtimer_interrupt ([kernel.kallsyms])\n            7f00 x (/usr/sbin/nginx)\n"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (SENDFILE, "sendfile"),
        (PYTHON, "Python"),
        (TIMER, "other calls"),
        ("  1 do_writev ([kernel.kallsyms])\n", "head"),
        ("  1 __x64_sys_epoll_pwait ([kernel.kallsyms])\n", "epoll"),
        ("  1 ngx_http_handler (/usr/sbin/nginx)\n", "own code"),
        ("  1 main (/tmp/x/floor)\n", "own code"),
        ("  1 uv__io_poll (/x/uvloop/loop.cpython-311-x86_64-linux-gnu.so)\n", "uvloop"),
        ("  1 memcpy (/usr/lib/x86_64-linux-gnu/libc.so.6)\n", "other"),
        ("  7f00\n", "other"),
    ],
)
def test_sample_belongs_to_its_system_call_or_its_library(stack: str, part: str) -> None:
    assert part_of(stack.splitlines()) == part


def test_shares_are_of_all_samples() -> None:
    found = shares(f"{SENDFILE}\n{PYTHON}\n{SENDFILE}\n{TIMER}\n")
    assert found["sendfile"] == 0.5
    assert found["Python"] == found["other calls"] == 0.25
    assert sum(found.values()) == 1
    assert set(found) == set(PARTS)


def test_no_samples_have_no_shares() -> None:
    assert shares("\n\n") == {}
