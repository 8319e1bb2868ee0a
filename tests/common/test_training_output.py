from __future__ import annotations

import io

from services.common.training_output import PlainLines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_counts_are_lines_where_there_is_no_terminal():
    out = io.StringIO()
    lines = PlainLines(out, every_s=0)
    lines.tell("pages", 1_200, 10_000)
    assert out.getvalue() == "  pages: 1,200 of 10,000 after 0 s\n"


def test_lines_are_seconds_apart():
    out = io.StringIO()
    lines = PlainLines(out, every_s=60)
    for count in range(100):
        lines.tell("pages", count, 100)
    assert out.getvalue() == ""


def test_a_terminal_has_a_bar_and_needs_no_lines():
    out = Terminal()
    PlainLines(out, every_s=0).tell("pages", 1, 2)
    assert out.getvalue() == ""
