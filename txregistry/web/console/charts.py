"""Plots as SVG, drawn here for whoever runs no scripts (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from twisted.web.template import Tag, tags

from txregistry.web.console.words import moment, scaled

#: The size of the drawing, in its own units.
WIDTH, HEIGHT, _BOTTOM, _TOP = 600, 170, 20, 16


@attrs.frozen
class Series:
    """One line of a plot.

    :ivar values: one for each time.
    :ivar style: the class by which the style sheet colours it.
    """

    label: str
    style: str
    values: Sequence[float]


def svg(name: str, **attributes: object) -> Tag:
    """Return an element of SVG."""
    tag = Tag(name)
    tag.attributes |= {
        ("class" if key == "class_" else key.replace("_", "-")): str(value)
        for key, value in attributes.items()
    }
    return tag


def plot(
    title: str, times: Sequence[float], series: Sequence[Series], step: float = 0.0
) -> Tag:
    """Draw lines over time; without values it says so.

    :param times: seconds since the epoch, rising.
    :param step: seconds between two; where more are between them nobody counted, and
        there is no line. 0 for a line through all.
    """
    if len(times) < 2:
        return tags.p("Nothing is known of this time yet.", class_="quiet")
    top = max((max(one.values) for one in series), default=0.0) or 1.0
    drawing = svg("svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", class_="plot")
    drawing(svg("title")(title))
    for height, value in ((_floor(), 0.0), (_TOP, top)):
        drawing(svg("line", x1=0, x2=WIDTH, y1=height, y2=height, class_="axis"))
        label = svg("text", x=0, y=height - 4, class_="label")
        drawing(label(scaled(value)))
    pieces = list(unbroken(times, step))
    for one in series:
        points = _points(times, one.values, top)
        for begin, end in pieces:
            piece = " ".join(points[begin:end])
            drawing(svg("polyline", points=piece, class_=f"line {one.style}"))
    for at, anchor, x in (
        (times[0], "start", 0),
        (times[-1], "end", WIDTH),
    ):
        label = svg("text", x=x, y=HEIGHT - 4, text_anchor=anchor, class_="label")
        drawing(label(moment(at)[:16].replace("T", " ")))
    return drawing


def unbroken(times: Sequence[float], step: float) -> Iterator[tuple[int, int]]:
    """Give where pieces begin and end in which no step is missing (pure)."""
    begin = 0
    for place in range(1, len(times)):
        if step and times[place] - times[place - 1] > 1.5 * step:
            yield begin, place
            begin = place
    yield begin, len(times)


def legend(series: Sequence[Series]) -> Tag:
    """Return what the colours of a plot mean."""
    return tags.ul(
        *(tags.li(one.label, class_=f"key {one.style}") for one in series),
        class_="legend",
    )


def _floor() -> int:
    return HEIGHT - _BOTTOM


def _points(times: Sequence[float], values: Sequence[float], top: float) -> list[str]:
    first, span = times[0], times[-1] - times[0] or 1.0
    floor, height = _floor(), _floor() - _TOP
    return [
        f"{(at - first) / span * WIDTH:.1f},{floor - value / top * height:.1f}"
        for at, value in zip(times, values, strict=True)
    ]


def bar(part: float, whole: float, style: str = "") -> Tag:
    """Draw a part of a whole as a bar."""
    share = min(1.0, part / whole) if whole > 0 else 0.0
    drawing = svg(
        "svg",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_=f"bar {style}".strip(),
    )
    drawing(svg("rect", x=0, y=0, width=100, height=8, class_="all"))
    return drawing(svg("rect", x=0, y=0, width=f"{share * 100:.1f}", height=8))
