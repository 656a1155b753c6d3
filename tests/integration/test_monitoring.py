"""Alerts and the dashboard ask for what the daemon really exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.images import Layout
from tests.integration.support import IntegrationCase, Registry, require, run, which

EXAMPLES = Path(__file__).parents[2] / "etc" / "examples"
#: Prometheus adds them, or Grafana does.
OF_PROMETHEUS = {"job", "instance", "le"}

SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")

#: The labels with which each metric is exported.
Exported = dict[str, list[dict[str, str]]]


def alerts() -> Iterator[str]:
    found = yaml.safe_load((EXAMPLES / "prometheus/alerts.yml").read_text())
    yield from (rule["expr"] for group in found["groups"] for rule in group["rules"])


def queries() -> Iterator[str]:
    board = json.loads((EXAMPLES / "grafana/txregistry.json").read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])


class MonitoringTests(IntegrationCase):
    """A cache and a registry that were used, and what they export."""

    async def test_promtool(self) -> None:
        """promtool takes the alerts and the configuration that names them."""
        require("promtool")
        place = EXAMPLES / "prometheus"
        await run(which("promtool"), "check", "config", str(place / "scrape.yml"))
        await run(which("promtool"), "check", "rules", str(place / "alerts.yml"))

    async def test_alerts_fire(self) -> None:
        """Each alert fires when it should, and none of a healthy daemon."""
        require("promtool")
        path = Path(__file__).parent / "alerts_test.yml"
        await run(which("promtool"), "test", "rules", str(path))
        tested = yaml.safe_load(path.read_text())["tests"]
        names = {x["alertname"] for test in tested for x in test["alert_rule_test"]}
        rules = yaml.safe_load((EXAMPLES / "prometheus/alerts.yml").read_text())
        self.assertEqual(
            names, {x["alert"] for group in rules["groups"] for x in group["rules"]}
        )

    async def test_queries(self) -> None:
        """Each query of the dashboard finds a metric, each alert knows its labels."""
        require("skopeo", "docker-registry")
        exported = await self.used()
        for query in queries():
            self.check(query, exported, with_values=True)
        for expression in alerts():
            self.check(expression, exported, with_values=False)

    def check(self, query: str, exported: Exported, *, with_values: bool) -> None:
        """See that each selector finds something.

        :param with_values: with the values that it asks for, too.
        """
        selectors = SELECTOR.findall(query)
        self.assertTrue(selectors, query)
        labels = set(OF_PROMETHEUS)
        for name, matchers in selectors:
            if name == "up":
                continue
            self.assertIn(name, exported, query)
            labels |= exported[name][0].keys()
            wanted = MATCHER.findall(matchers)
            self.assertEqual({x[0] for x in wanted} - labels, set(), query)
            if with_values:
                found = [x for x in exported[name] if _matches(x, wanted)]
                self.assertTrue(found, query)
        for names in GROUPING.findall(query):
            self.assertEqual({*names.split(", ")} - labels, set(), query)

    async def used(self) -> Exported:
        """Pull through a cache, push to a registry with an endpoint; read both."""
        layout = Layout(self.directory / "images")
        layout.tag("one", layout.image("amd64", 1000), index=False)
        upstream = await self.debian_registry()
        endpoint = {"name": "hook", "url": f"{upstream.url}/v2/"}
        registry = await self.daemon(
            "registry", merge={"notifications": {"endpoints": [endpoint]}}
        )
        cache = await self.cache(upstream.url)
        for each in (upstream, registry):
            await self.copy(
                "--dest-tls-verify=false",
                f"oci:{layout.path}:one",
                f"docker://{each.host}/library/one:1",
            )
        for _ in range(2):
            target = f"dir:{self.directory}/pulled"
            source = f"docker://{cache.host}/library/one:1"
            await self.copy("--src-tls-verify=false", source, target)
        found: Exported = {}
        for each in (registry, cache):
            for name, labels in await self.metrics(each):
                found.setdefault(name, []).append(labels)
        return found

    async def copy(self, *arguments: str) -> None:
        await run(which("skopeo"), "copy", "-q", *arguments)

    async def metrics(self, registry: Registry) -> list[tuple[str, dict[str, str]]]:
        _, _, body = await self.get(f"http://127.0.0.1:{registry.debug_port}/metrics")
        families = text_string_to_metric_families(body.decode())
        return [(x.name, x.labels) for family in families for x in family.samples]


def _matches(labels: dict[str, str], wanted: list[tuple[str, str, str]]) -> bool:
    """Tell whether labels have the values that are asked for."""
    return all(
        labels[name] == value for name, _, value in wanted if name not in OF_PROMETHEUS
    )
