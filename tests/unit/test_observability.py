"""What is shipped to watch PipeWatcher: alerts, their run-books, a dashboard, all on metrics that
there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers.promtool import promtool

TOP = Path(__file__).parents[2]
FOLDER = TOP / "deploy/observability"
PAGES = [TOP / "docs/alerts.md", TOP / "docs/pt/alerts.md"]
OF_PROMETHEUS_CLIENT = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
}
METRIC = re.compile(r"\b((?:pipewatcher|process)_[a-z_]+)\b")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return found


def panel_queries() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def known_metrics() -> set[str]:
    """As the reference has them, which a test of its own holds against the source."""
    text = (TOP / "docs/reference.md").read_text("utf-8")
    rows = re.findall(r"^\| `(pipewatcher_\w+)` \| (\w+) \|", text, re.MULTILINE)
    parts = {
        f"{name}_{part}" for name, kind in rows if kind == "histogram" for part in ("bucket", "sum")
    }
    return {name for name, _ in rows} | parts | OF_PROMETHEUS_CLIENT


def test_alerts_and_dashboard_name_metrics_that_there_are() -> None:
    queries = [*panel_queries(), *(alert["expr"] for alert in alerts())]
    queries += [
        one["query"]["query"]
        for one in dashboard()["templating"]["list"]
        if isinstance(one["query"], dict)
    ]
    named = {name for query in queries for name in METRIC.findall(query)}
    assert len(named) > 25
    assert named - known_metrics() == set()


def test_each_alert_says_how_bad_it_is_and_has_its_run_book_in_both_languages() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["runbook"] == f"docs/alerts.md#{alert['alert'].lower()}"
    for page in PAGES:
        text = page.read_text("utf-8")
        assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == names
        for name in names:
            [book] = re.findall(rf"^### {name}\n\n(.+?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
            assert len(book) > 100, name


def test_each_alert_is_tried_out_both_ways() -> None:
    tried = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    outcomes = {test["name"]: test["promql_expr_test"][0]["exp_samples"] for test in tried}
    for alert in alerts():
        name = alert["alert"]
        assert outcomes[name][0]["value"] == 1
        assert outcomes[f"not {name}"][0]["value"] == 0


def test_the_dashboard_is_whole() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert all('job="$job"' in target["expr"] for target in panel["targets"])


@pytest.mark.promtool
def test_promtool_takes_rules_configuration_and_each_query_of_the_dashboard(
    tmp_path: Path,
) -> None:
    for name in ("alerts.yml", "alerts.test.yml", "prometheus.yml"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    (tmp_path / "pipewatcher-token").write_text("pw_x")
    assert "16 rules" in promtool("check", "rules", str(tmp_path / "alerts.yml"))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "alerts.test.yml"))
    assert "valid" in promtool("check", "config", str(tmp_path / "prometheus.yml"))
    # A query is read as a recording rule is; Grafana writes its variables out before.
    queries = [
        query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        for query in panel_queries()
    ]
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries)]
    group = {"groups": [{"name": "panels", "rules": rules}]}
    (tmp_path / "panels.yml").write_text(yaml.safe_dump(group))
    assert f"{len(rules)} rules" in promtool("check", "rules", str(tmp_path / "panels.yml"))
