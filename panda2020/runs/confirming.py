"""Freshness of records: are the current sources those of the record, or, if they have changed, does a re-run agree?"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import sources, verifications
from .store import Record

CURRENT, CONFIRMED, OLDER = "current", "confirmed", "older"


@dataclass(frozen=True)
class Standing:
    """The freshness of a record.

    Attributes:
        state: ``CURRENT``; ``CONFIRMED`` if the code has changed since and a re-run with the current sources agrees; or
            ``OLDER``.
        why: the reason in one sentence, unless it is current.
        witnesses: keys of the records whose re-run confirms it.
    """

    state: str
    why: str = ""
    witnesses: tuple[str, ...] = ()


def freshness(record: Record) -> str:
    """The state of a record; see ``Standing``."""
    return standing(record).state


def standing(record: Record) -> Standing:
    """Compare the sources of a record with the current ones, and if they differ, read the log beside the record.

    A record is confirmed by its own last re-run, or else by the witnesses of its task and network family, if all of
    them agree. A record whose sources are unknown, or differed from their commit, is older in any case.
    """
    made = record.provenance
    found, reason = sources.of_record(made["source"])
    now = sources.of_task(record["task"])[0]
    if found == now:
        return Standing(CURRENT)
    if found is None:
        return Standing(OLDER, f"{record.key}: {reason}.")
    commit = str(made.get("commit"))[:10]
    if made.get("dirty"):
        return Standing(
            OLDER, f"{record.key}: its sources were not those of commit {commit}, which had been changed."
        )
    since = f"the code has changed since commit {commit}"
    rerun = _reruns(record.path.parent / verifications.NAME, now)
    own = rerun.get(record.key)
    if own is not None and own["record_sha256"] == record["sha256"]:
        if own["agrees"]:
            how = "bit for bit" if own["exact"] else "within the tolerance for another machine"
            return Standing(
                CONFIRMED, f"{record.key}: {since}, and its own re-run agrees {how}.", (record.key,)
            )
        return Standing(OLDER, f"{record.key}: {since}, and its own re-run differs.")
    place = (record["task"], verifications.family(record))
    witnesses = [line for line in rerun.values() if (line["task"], line["family"]) == place]
    agreeing = tuple(line["key"] for line in witnesses if line["agrees"])
    exact = sum(line["agrees"] and line["exact"] for line in witnesses)
    said = f"{len(agreeing)} of {len(witnesses)} witnesses (task {place[0]}, {place[1]}) agree, {exact} of them bit for bit"
    if witnesses and len(agreeing) == len(witnesses):
        return Standing(CONFIRMED, f"{record.key}: {since}, and {said}.", agreeing)
    return Standing(
        OLDER,
        f"{record.key}: {since}" + (f", and {said}." if witnesses else ", and no re-run has been logged."),
    )


def _reruns(log: Path, source: str) -> dict[str, dict[str, Any]]:
    """Key of a record -> its last verification by the sources whose hash is ``source``."""
    if not log.exists():
        return {}
    made = log.stat()
    return {
        line["key"]: line
        for line in _lines(log, made.st_mtime_ns, made.st_size)
        if line.get("source") == source
    }


@functools.lru_cache(maxsize=4)
def _lines(log: Path, changed: int, size: int) -> list[dict[str, Any]]:
    return verifications.read(log)[0]
