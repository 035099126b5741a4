"""The report, from the figures of a run: `README.md`, `index.html` and the plots beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pictures
from machine import BUSY_SHARE
from pages import Page
from system import DURABILITY
from texts import AUDIT, BUSY, COORDINATED_OMISSION, GENERATORS, QUIET

KIND_NAMES = {
    "single": "single JSON readings",
    "batch": "JSON batches of 100 readings",
    "mqtt": "MQTT, QoS 1, a reading a message",
}
MODE_NAMES = {"wrk": "closed, wrk", "closed": "closed, ledger", "open": "open, ledger"}


def rounded(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    return round(found, 3) if isinstance(found, float) else found


def all_phases(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        phase
        for setup in found["setups"]
        for phase in (*setup["phases"], setup["overload"]["capacity"], setup["overload"]["over"])
    ]


def losses(found: dict[str, Any]) -> dict[str, int]:
    audits = [phase["audit"] for phase in all_phases(found)]
    audits += [setup["audit"] for setup in found["setups"]]
    imports = [setup["beside"]["import"] for setup in found["setups"]]
    return {
        "lost": sum(a["lost"] for a in audits) + sum(abs(one["lost"]) for one in imports),
        "doubled": sum(a.get("doubled", 0) for a in audits),
        "never sent": sum(a["unasked"] for a in audits),
    }


def nothing_lost(found: dict[str, Any]) -> bool:
    differences = [(setup["balance"] or {}).get("difference", 0) for setup in found["setups"]]
    return not any(losses(found).values()) and not any(differences)


def verdict(found: dict[str, Any]) -> str:
    acknowledged = sum(
        phase["acknowledged"] * (100 if phase["kind"] == "batch" else 1)
        for phase in all_phases(found)
    )
    told = ", ".join(f"{number:,} {name}" for name, number in losses(found).items())
    return f"{acknowledged:,} readings acknowledged under load; {told}."


def was_busy(found: dict[str, Any]) -> tuple[bool, float, float]:
    """Whether others took too much, and their share and the host's, averaged over the phases."""
    phases = all_phases(found)
    lasted = sum(phase["until_s"] - phase["from_s"] for phase in phases) or 1.0
    others, stolen = (
        sum(phase["shares"][name] * (phase["until_s"] - phase["from_s"]) for phase in phases)
        / lasted
        for name in ("others", "stolen")
    )
    before = found["before"]["others"] + found["before"]["stolen"]
    return max(others + stolen, before) > BUSY_SHARE, others, stolen


def write(found: dict[str, Any], folder: Path) -> None:
    page = Page("Load report")
    busy, others, stolen = was_busy(found)
    page.text(f"**{verdict(found)}** {BUSY if busy else QUIET}")
    _machine(page, found, others, stolen)
    for setup in found["setups"]:
        _setup(page, setup, folder)
    page.heading("How it is measured")
    for text in (GENERATORS, COORDINATED_OMISSION, AUDIT):
        page.text(text)
    (folder / "README.md").write_text(page.markdown(), "utf-8")
    (folder / "index.html").write_text(page.html(), "utf-8")


def _machine(page: Page, found: dict[str, Any], others: float, stolen: float) -> None:
    machine, before, size = found["machine"], found["before"], found["size"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    cores = found["setups"][0]["cores"]
    said = {
        "Command": f"`{found['command']}`, {found['when']}, took {found['took_s'] / 60:.0f} "
        f"minutes; phases of {size['seconds']:g} s, soak {size['soak_s']:g} s.",
        "Machine": f"{machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']:g} GB, Linux {machine['kernel']}; {machine['disk']}.",
        "Cores": f"PipeWatcher on {cores['system']}; generators, engines and the command on "
        f"{cores['others']}.",
        "Others on the machine": f"load average before {before['load_1']:.2f} / "
        f"{before['load_5']:.2f} / {before['load_15']:.2f}; before, while we did nothing, "
        f"{before['others']:.0%} of all cores' time went to other processes and "
        f"{before['stolen']:.0%} to the host; during the phases {others:.0%} and {stolen:.0%}.",
        "Versions": f"{versions}.",
        "Settings": "the defaults, with an admin token and no minimum of free disk.",
    }
    page.points([f"**{name}**: {text}" for name, text in said.items()])


def _setup(page: Page, setup: dict[str, Any], folder: Path) -> None:
    page.heading(f"{setup['setup']}")
    page.text(DURABILITY[setup["setup"]])
    grid = [phase for phase in setup["phases"] if phase["of_grid"]]
    for kind, name in KIND_NAMES.items():
        page.heading(name[0].upper() + name[1:], 3)
        page.table(*_grid_table([phase for phase in grid if phase["kind"] == kind]))
    _others(page, setup)
    page.heading("Pictures", 3)
    for file, what in pictures.draw(setup, grid, folder):
        page.picture(file, what)


def _grid_table(phases: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    head = ["Connections", "Established", "Loop", "Offered/s", "Messages/s", "Readings/s"]
    head += ["p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "Errors", "CPU system / load", "Lost"]
    return head, [
        [
            f"{phase['connections']:,}",
            f"{phase['established']:,}",
            MODE_NAMES[phase["mode"]],
            f"{phase['intended_per_s']:,.0f}" if phase["mode"] == "open" else "–",
            f"{phase['messages_per_s']:,.0f}",
            f"{phase['readings_per_s']:,.0f}",
            *latencies(phase),
            _errors(phase),
            f"{phase['cpu_pipewatcher']:.0%} / {phase['cpu_load']:.0%}",
            f"{phase['audit']['lost']:,}",
        ]
        for phase in phases
    ]


def latencies(phase: dict[str, Any]) -> list[str]:
    return [f"{phase[name]:,.1f}" for name in ("p50_ms", "p90_ms", "p99_ms", "p999_ms")]


def _errors(phase: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {n:,}" for name, n in phase["not_acknowledged"].items()) or "0"


def _others(page: Page, setup: dict[str, Any]) -> None:
    page.heading("Overload, storm, soak, and work beside", 3)
    page.points(
        [
            _one_core(setup["one_core"]),
            _overload(setup["overload"]),
            _storm(setup["storm"]),
            _soak(setup["soak"]),
            _beside(setup["beside"]),
            _final_audit(setup),
        ]
    )


def _one_core(found: dict[str, Any]) -> str:
    few, most = found["few"], found["most"]
    return (
        f"**On one core with the generator** (wrk, single readings): "
        f"{few['messages_per_s']:,.0f}/s with {few['connections']} connections; "
        f"{most['messages_per_s']:,.0f}/s with {most['connections']:,}, "
        f"{most['established']:,} of them established: "
        f"**{most['messages_per_s'] / few['messages_per_s']:.0%}**, p99 {most['p99_ms']:,.0f} ms, "
        f"errors {_errors(most)}, {few['audit']['lost'] + most['audit']['lost']:,} lost."
    )


def _overload(found: dict[str, Any]) -> str:
    over, calm = found["over"], found["capacity"]
    limits = ", ".join(f"`{name}` = {value}" for name, value in found["settings"].items())
    return (
        f"**Overload**: {over['intended_per_s']:,.0f} batches/s offered by "
        f"{over['connections']:,} connections, three times the capacity of "
        f"{calm['messages_per_s']:,.0f}/s ({calm['connections']:,} connections): "
        f"{over['messages_per_s']:,.0f}/s acknowledged, **{found['goodput']:.0%}** of the "
        f"capacity. Refused or failed: {_errors(over)}; refusals without Retry-After: "
        f"{over['without_hint']:,}; {over['unsent']:,} were never sent, as their connection still "
        f"waited. Memory at most {over['mb_pipewatcher']:,.0f} MB "
        f"({calm['mb_pipewatcher']:,.0f} MB at capacity). Limits: {limits}."
    )


def _storm(storm: dict[str, Any]) -> str:
    return (
        f"**Reconnect storm**: {storm['connections']:,} MQTT devices cut off, all back at once: "
        f"connected in {storm['back_connected_s']:.1f} s, {storm['back']:,} had a message "
        f"acknowledged after {storm['back_acknowledged_s']:.1f} s; "
        f"{storm['refused_connects']:,} connects had to be tried again."
    )


def _soak(soak: dict[str, Any]) -> str:
    p50, _, p99, p999 = latencies(soak)
    return (
        f"**Soak**: {soak['intended_per_s']:,.0f} single readings/s, half the capacity, for "
        f"{soak['lasted_s']:,.0f} s: p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, errors "
        f"{_errors(soak)}, memory at most {soak['mb_pipewatcher']:,.0f} MB, lag at most "
        f"{soak['lag_s']:.1f} s."
    )


def _beside(beside: dict[str, Any]) -> str:
    asked, imported = beside["dashboards"], beside["import"]
    p50, _, p99, _ = latencies(beside)
    rate = imported.get("rows_per_s", 0.0)
    return (
        f"**Dashboards and an import beside**: {beside['intended_per_s']:,.0f} single readings/s "
        f"from {beside['connections']:,} connections: p50 {p50} ms, p99 {p99} ms, errors "
        f"{_errors(beside)}. Ten dashboards asked {asked['asked']} times for the means, p50 "
        f"{asked['p50_ms']:,.0f} ms, p99 {asked['p99_ms']:,.0f} ms, {asked['failed']} failed. "
        f"An import of {imported['rows']:,} rows: {imported['state']}, {rate:,.0f} rows/s, "
        f"{abs(imported['lost']):,} lost."
    )


def _final_audit(setup: dict[str, Any]) -> str:
    found, balance = setup["audit"], setup["balance"]
    sheet = (
        f" The balance sheet: accepted {balance['accepted']:,} = stored {balance['stored']:,} + "
        f"waiting {balance['inCommitLog']:,} + difference **{balance['difference']:,}**."
        if balance
        else ""
    )
    return (
        f"**Audit at the end, reading by reading**, of {found['sensors']:,} of "
        f"{found['of_sensors']:,} sensors: {found['acknowledged']:,} acknowledged, "
        f"{found['stored']:,} stored, **{found['lost']:,} lost, {found['doubled']:,} doubled**, "
        f"{found['kept']:,} of {found['uncertain']:,} that were not acknowledged stored all the "
        f"same." + sheet
    )
