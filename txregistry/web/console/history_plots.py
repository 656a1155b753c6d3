"""The plots of the first page: what the cache did over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.web.template import Tag, tags

from txregistry.web.console.charts import Series, legend, plot

#: Titles of the spans of the history.
SPANS = {"day": "Last day", "month": "Last month", "years": "Last two years"}


@attrs.frozen
class Line:
    """One line of a plot.

    :ivar style: names its colour in the style sheet.
    :ivar counted: what is counted of each sample.
    :ivar per: by what that is divided, for a mean; empty for the count itself.
    """

    label: str
    style: str
    counted: str
    per: str = ""

    def values(self, samples: Sequence[Mapping[str, Any]]) -> list[float]:
        """Give its value of each sample; a mean of nothing is 0."""
        counts = [sample["counts"] for sample in samples]
        found = [each.get(self.counted, 0.0) for each in counts]
        if not self.per:
            return found
        divisors = [each.get(self.per, 0.0) for each in counts]
        return [a / b if b else 0.0 for a, b in zip(found, divisors, strict=True)]


@attrs.frozen
class Plot:
    """One plot; the dashboard for Grafana has one of the same names.

    :ivar unit: of its values; empty for plain numbers.
    """

    title: str
    unit: str
    lines: Sequence[Line]


PLOTS: Sequence[Plot] = (
    Plot(
        "Requests",
        "",
        (
            Line("Hits", "hits", "hits"),
            Line("Misses", "misses", "misses"),
            Line("Stale", "stale", "stale"),
        ),
    ),
    Plot(
        "Bytes",
        "",
        (
            Line("Of hits", "hits", "hit_bytes"),
            Line("Of misses", "misses", "miss_bytes"),
            Line("Stale", "stale", "stale_bytes"),
        ),
    ),
    Plot(
        "Uplink",
        "bytes",
        (
            Line("Served", "served", "served_bytes"),
            Line("Pulled", "pulled", "pulled_bytes"),
        ),
    ),
    Plot(
        "Latency of upstreams",
        "seconds",
        (Line("Mean", "served", "asked_seconds", "questions"),),
    ),
)


def history_part(found: Mapping[str, Any]) -> Tag:
    """Return the plots of a span, which scripts may replace by better ones."""
    span = found["span"]
    links = [
        tags.a(
            title,
            href=f"/?span={name}",
            **({"aria-current": "true"} if name == span else {}),
        )
        for name, title in SPANS.items()
    ]
    return tags.section(
        tags.h2("Over time"),
        tags.p(*links, class_="spans"),
        tags.div(
            *(_figure(each, found["samples"], found["step"]) for each in PLOTS),
            class_="figures",
        ),
        id="history",
        **{"data-span": span},
    )


def _figure(wanted: Plot, samples: Sequence[Mapping[str, Any]], step: int) -> Tag:
    lines, unit = wanted.lines, f", in {wanted.unit}" if wanted.unit else ""
    series = [Series(line.label, line.style, line.values(samples)) for line in lines]
    drawn = plot(wanted.title, [sample["at"] for sample in samples], series, step)
    return tags.figure(
        tags.figcaption(f"{wanted.title}{unit}"),
        legend(series),
        tags.div(drawn, class_="drawn"),
        class_="history",
        **{"data-series": ",".join(map(_for_scripts, lines))},
    )


def _for_scripts(line: Line) -> str:
    return ":".join((line.label, line.style, line.counted, line.per))
