"""Provenance of an exhibit: badges, the folded list of runs, and the commands that reproduce them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from panda2020.samples import nearest

if TYPE_CHECKING:
    from panda2020.runs import Record


#: tag of a record (set by ``panda2020.runs.collect``) -> css class, sign and word. Sign, word and colour all differ.
BADGES = {
    "live": ("snn-live", "▶ live"),
    "recorded": ("snn-recorded", "■ recorded"),
    "recorded-confirmed": ("snn-confirmed", "◈ recorded, code changed since, re-run agrees"),
    "recorded-by-older-sources": ("snn-older", "◆ recorded by older sources"),
}

_COPY = "navigator.clipboard.writeText(this.previousElementSibling.textContent);this.textContent='copied'"


def origin(records: Sequence[Record]) -> str:
    """The badge text of some records, for a column of a table: "■ recorded"; several kinds are joined by " + "."""
    return " + ".join(BADGES[tag][1] for tag in kinds(records))


def strip_html(records: Sequence[Record], command: str | None) -> str:
    """The provenance strip: folded, one row per run."""
    from panda2020.runs.executing import command_of

    parts = ["<summary>Where these numbers come from</summary>"]
    if records:
        seeds: dict[str, set[str]] = {}
        for record in records:
            seeds.setdefault(str(record.labels["network"]), set()).add(str(seed_text(record)))
        listed = "; ".join(
            f"{html.escape(net)}: {', '.join(sorted(s, key=_natural))}" for net, s in sorted(seeds.items())
        )
        parts.append(f"<p>{len(records)} run{'s' if len(records) > 1 else ''}. Seeds: {listed}.</p>")
        columns = (
            "run",
            "kind",
            "network",
            "role",
            "seed",
            "commit",
            "data",
            "test images",
            "device",
            "threads",
            "seconds",
            "date",
        )
        rows = "".join(_row(record) for record in records)
        head = "".join(f'<th scope="col">{c}</th>' for c in columns)
        parts.append(
            '<div class="snn-scroll" tabindex="0" role="region" aria-label="runs"><table class="snn-table snn-runs">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
        if whys := dict.fromkeys(html.escape(record.why) for record in records if record.why):
            items = "".join(f"<li>{why}</li>" for why in whys)
            parts.append(
                f"<details><summary>What became of their sources</summary><ul>{items}</ul></details>"
            )
    else:
        parts.append(f"<p>Computed by this notebook itself, from no recorded run. {html.escape(_here())}</p>")
    if command:
        parts.append(f"<p>To make this exhibit again:</p>{command_html(command)}")
    if records:
        commands = "".join(command_html(text) for text in dict.fromkeys(map(command_of, records)))
        parts.append(f"<details><summary>To make its runs again, one by one</summary>{commands}</details>")
    return f'<details class="snn-origin">{"".join(parts)}</details>'


def _row(record: Record) -> str:
    made = record.provenance
    kind = badge(record_tag(record), [str(record.labels["profile"])], len(record.witnesses))
    cells = (
        record.key,
        kind,
        record.labels["network"],
        record.labels["role"],
        seed_text(record),
        commit_text(made["commit"], made["dirty"]),
        f"{_data_name(record)} {str(made['data_sha256'])[:8]}",
        record.result.get("total", "–"),
        made["device_name"],
        made["threads"],
        f"{made['seconds']:.1f}",
        str(made["date"])[:10],
    )
    text = "".join(f"<td>{c if i == 1 else html.escape(str(c))}</td>" for i, c in enumerate(cells))
    return f'<tr data-key="{record.key}" data-sha="{record["sha256"]}">{text}</tr>'


def command_html(text: str) -> str:
    return (
        f'<code class="snn-command">{html.escape(text)}</code>'
        f'<button type="button" class="snn-copy" onclick="{html.escape(_COPY)}">copy</button>'
    )


def record_tag(record: Record) -> str:
    if record.tag not in BADGES:
        raise ValueError(
            f"record {record.key} has tag {record.tag!r}; show records as panda2020.runs.collect returned them"
        )
    return record.tag


def kinds(records: Sequence[Record]) -> list[str]:
    """The kinds of the records, in the order of the badges; results without a record were computed live."""
    present = {record_tag(record) for record in records} or {"live"}
    return [tag for tag in BADGES if tag in present]


def profiles_of(records: Sequence[Record], tag: str) -> list[str]:
    return sorted({str(r.labels["profile"]) for r in records if r.tag == tag})


def witnesses_of(records: Sequence[Record], tag: str | None) -> int:
    """Number of witnesses that confirm the records of one kind."""
    return len({key for record in records if record.tag == tag for key in record.witnesses})


def badge(tag: str, profiles: Sequence[str], witnesses: int = 0) -> str:
    kind, word = BADGES[tag]
    if witnesses:
        word = f"{word} ({witnesses} of {witnesses} witnesses)"
    return f'<span class="snn-badge {kind}">{" · ".join([word, *profiles])}</span>'


def seed_text(record: Record) -> Any:
    found = nearest(record["spec"], "seed")
    return "none" if found is None else found


def _data_name(record: Record) -> str:
    data = nearest(record["spec"], "data")
    return str(data.get("name", "")) if isinstance(data, Mapping) else str(data or "")


def commit_text(sha: str | None, dirty: bool | None) -> str:
    if sha is None:
        return "no commit"
    return sha[:10] + {True: "+dirty", False: "", None: " (not known whether clean)"}[dirty]


@cache
def _here() -> str:
    """Commit, libraries and processor of the running notebook."""
    from panda2020.runs import provenance

    commit = provenance.commit()
    libraries = ", ".join(f"{name} {version}" for name, version in provenance.versions().items() if version)
    return f"Commit {commit_text(commit.sha, commit.dirty)}; {provenance.cpu_model()}; {libraries}."


def _natural(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (1 << 30, text)
