"""Table 8 and its context: three baselines for every spiking network, and the settings under which each network trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from panda2020 import statistics
from panda2020.claims.claims import NOT_GIVEN, sentence
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.exhibit import origin
from panda2020.exhibits.numbers import gap
from panda2020.records import (
    Place,
    accuracy_columns,
    accuracy_estimate,
    by_place,
    data_name,
    difference_columns,
    difference_estimate,
    efficiency_estimate,
    mean_efficiency,
    reading_of,
    scale,
    shown_name,
)
from panda2020.runs import Record
from panda2020.samples import LEARNT, Sample
from snncore.energy import CONVENTIONS

#: role of an ANN -> its name: the plain one of Table 8, then those of ``grid.baselines``.
BASELINES = {
    "ann": "plain",
    "ann-tuned": "longer training, dropout",
    "ann-tuned-bn": "the same with batch norm",
    "ann-poisson": "fed with Poisson input",
}

CHANCE = 0.1


def baseline_table(records: Sequence[Record]) -> pd.DataFrame:
    """Each spiking network and T against every ANN recorded for it, one row per ANN.

    "SNN minus ANN" is in points, paired by seed and test image, with its 95 % interval. The ANN with Poisson input reads
    the mean of as many spikes as the spiking network. Pairs without a common seed are omitted.

    Raises:
        ValueError: a role other than "snn" and those of ``BASELINES``.
    """
    places = by_place(records, roles=("snn", *BASELINES))
    rows = []
    for place, snn in sorted(places.items(), key=lambda item: item[0].steps or 0):
        if place.role != "snn":
            continue
        for role, kind in BASELINES.items():
            steps = place.steps if role == "ann-poisson" else None
            ann = places.get(place._replace(role=role, steps=steps), {})
            if not snn.keys() & ann.keys():
                continue
            found = difference_columns(snn, ann)
            mean = float(np.mean([snn[s].result["accuracy"] for s in sorted(snn.keys() & ann.keys())]))
            rows.append(
                {
                    "network": place.network,
                    "reading": place.reading,
                    "T": place.steps,
                    "ANN": kind,
                    "SNN accuracy": mean,
                    "ANN accuracy": found["reference"],
                    "SNN minus ANN": found["difference"],
                    "95 % interval": found["difference, 95 %"],
                    "over": found["difference over"],
                    "pairs": found["pairs"],
                    "McNemar p": found["McNemar p"],
                }
            )
    rank = {name: i for i, name in enumerate(dict.fromkeys((p.network, p.reading) for p in places))}
    rows.sort(key=lambda row: rank[row["network"], row["reading"]])
    return pd.DataFrame(rows)


def map_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run of the map: network, leak, gamma, gain, validation accuracy after the last epoch, and whether it trains.

    A run trains if the lower end of Wilson's 95 % interval of that accuracy is more than ``LEARNT`` above chance.
    """
    rows = []
    for record in records:
        config, images = record.spec.network, record.result["data"]["validation"]
        accuracy = record.result["curve"][-1]["validation_accuracy"]
        low, _ = statistics.wilson(accuracy * images, images)
        rows.append(
            {
                "network": record.labels["network"],
                "leak": config.alpha,
                "gamma": config.gamma,
                "gain": config.gain,
                "seed": record.spec.seed,
                "validation": accuracy,
                "trains": low > CHANCE + LEARNT,
            }
        )
    return pd.DataFrame(rows, columns=["network", "leak", "gamma", "gain", "seed", "validation", "trains"])


def draw_map(table: pd.DataFrame) -> Figure:
    """``map_table`` as one square of gain by gamma per network (row) and leak (column); bold if the network trains.

    Seeds of a point are averaged, and the point counts as training if most of them train. Points without a run stay white.
    """
    names = list(dict.fromkeys(table["network"]))
    alphas, gammas, gains = (sorted(set(table[c]), reverse=c == "leak") for c in ("leak", "gamma", "gain"))
    size = (2.9 * len(alphas) + 1.1, 0.9 + (0.7 + 0.5 * len(gammas)) * len(names))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(names), len(alphas), squeeze=False, sharex=True, sharey=True)
    top = max(0.5, table["validation"].max())
    for row, name in zip(grid, names, strict=True):
        for axes, alpha in zip(row, alphas, strict=True):
            here = table[(table["network"] == name) & (table["leak"] == alpha)].groupby(["gamma", "gain"])
            values, trains = (
                here[c].mean().unstack().reindex(index=gammas, columns=gains)
                for c in ("validation", "trains")
            )
            axes.imshow(values, vmin=0, vmax=top, cmap="viridis", aspect="auto", origin="lower")
            axes.set_xticks(range(len(gains)), [f"{gain:g}" for gain in gains])
            axes.set_yticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
            axes.set_title(f"{shown_name(name)}, leak {alpha:g}", fontsize=10, loc="left")
            axes.grid(False)
            for i, k in np.argwhere(values.notna().to_numpy()):
                value, bold = values.iloc[i, k], trains.iloc[i, k] > 0.5
                axes.text(
                    k, i, f"{value:.0%}", ha="center", va="center", fontsize=9, weight="bold" if bold else "normal",
                    color="black" if value > 0.7 * top else "white",
                )  # fmt: skip
    figure.supxlabel("initialisation gain", fontsize=10)
    figure.supylabel("surrogate gamma", fontsize=10)
    figure.colorbar(grid[0, 0].images[0], ax=grid, label="validation accuracy")
    return figure


def map_sentences(table: pd.DataFrame) -> list[str]:
    """Sentences on the map: at how many points each network trains, its best point, and where only one network trains."""
    found = []
    for name, here in table.groupby("network", sort=False):
        best = here.loc[here["validation"].idxmax()]
        found.append(
            f"{shown_name(name)} trains at {int(here['trains'].sum())} of {len(here)} points; best {best['validation']:.0%} "
            f"on validation images, with gain {best['gain']:g}, gamma {best['gamma']:g}, leak {best['leak']:g}"
        )
    wide = table.pivot_table(
        index=["leak", "gamma", "gain"], columns="network", values="trains", aggfunc="mean"
    ).dropna()
    for name in dict.fromkeys(table["network"]):
        others = [other for other in wide if other != name]
        if others:
            alone = int(((wide[name] > 0.5) & (wide[others] <= 0.5).all(axis=1)).sum())
            found.append(
                f"{shown_name(name)} alone trains at {alone} of the {len(wide)} points that are recorded for every network"
            )
    return found


def finding(
    records: Sequence[Record], name: str, steps: int, *, role: str = "snn", subject: str = "", limit: str = ""
) -> tuple[str, list[Record]] | None:
    """One sentence on a network at one T against its ANN, and the runs behind it; None if there is no such pair.

    Args:
        subject: the network in words.
        limit: text after EE that gives its bound.
    """
    places = by_place([r for r in records if reading_of(r.labels["note"]) == "A"])
    ann, snn = places.get(Place(name, "A", "ann", None), {}), places.get(Place(name, "A", role, steps), {})
    both = sorted(ann.keys() & snn.keys())
    if not both:
        return None
    runs = [run for seed in both for run in (ann[seed], snn[seed])]
    found = difference_columns(snn, ann)
    accuracy = float(np.mean([snn[seed].result["accuracy"] for seed in both]))
    ee = mean_efficiency([snn[seed] for seed in both], "paper")
    text = gap(difference_estimate(snn, ann), f"its ANN at {found['reference']:.1%}")
    return (
        f"{subject or f'{name} trained with spikes (AGD, T = {steps})'} reaches {accuracy:.1%}, {text}, with EE "
        f"{ee:{'.2f' if limit else '.1f'}} under convention paper{limit}. {scale(runs)}."
    ), runs


#: Views of ``table8``: accuracies beside the paper's words, paired differences, energy.
ACCURACY = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "95 % interval",
    "over",
    "seeds",
    "parameters",
    "EE paper",
    "paper says",
    "origin",
)

DIFFERENCE = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "ANN accuracy",
    "minus ANN",
    "minus ANN, 95 %",
    "minus ANN over",
    "pairs",
    "only SNN right",
    "only ANN right",
    "McNemar p",
)

ENERGY = ("network", "reading", "role", "T", "accuracy", "EE paper", "EE physical", "EE full")

#: Row of Table 8 -> the article's sentences about it.
SAYS_8: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("VGG5", "snn"): ("agd-loss", "agd-ee"),
    ("VGG3x2-v2", "snn"): ("agd-loss", "agd-ee"),
    ("VGG7-agd", "snn"): ("agd-vgg7-fails",),
    ("VGG3x4", "ann"): ("agd-vgg3x4-beats-ann",),
    ("VGG3x4", "snn"): ("agd-vgg3x4-trains", "agd-vgg3x4-beats-ann"),
}


#: Columns of ``difference_columns`` -> their names here.
_MINUS_ANN = DIFFERENCE[5:]


def table8(records: Sequence[Record]) -> pd.DataFrame:
    """ANN and AGD-trained networks: one row per network, reading, role and T; the ANN of a network comes first.

    Columns (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``): accuracy, the mean over seeds, with its total interval (95 %)
    and what that covers; "minus ANN", in points, paired by seed and test image with the ANN of the same network;
    EE against that ANN under three conventions at int32 prices, mean over seeds; the paper's words; the origin
    of the row. Without records the table has no rows.

    Raises:
        ValueError: records of more than one profile, or the same run twice.
    """
    groups = by_place(records)
    rank = {name: i for i, name in enumerate(dict.fromkeys(row[:2] for row in groups))}
    order = sorted(groups, key=lambda row: (rank[row[:2]], row[2] != "ann", row[2], row[3] or 0))
    rows = []
    for row in order:
        name, reading, role, steps = row
        runs = list(groups[row].values())
        ann = groups.get(Place(name, reading, "ann", None), {}) if role != "ann" else {}
        says = SAYS_8.get((name, role), ())
        rows.append(
            {
                "network": name,
                "reading": reading,
                "role": role.upper(),
                "T": steps,
                **accuracy_columns(runs),
                **dict(zip(_MINUS_ANN, difference_columns(groups[row], ann).values(), strict=True)),
                "parameters": Sample(runs[0], steps, runs[0].result).parameters,
                **{f"EE {c}": mean_efficiency(runs, c) for c in CONVENTIONS},
                "paper says": "; ".join(map(sentence, says)) or NOT_GIVEN,
                "origin": origin(runs),
            }
        )
    if not rows:
        return pd.DataFrame(columns=list(dict.fromkeys((*ACCURACY, *DIFFERENCE, *ENERGY))))
    # built as objects, because a missing T would turn the others into 25.0
    real = ("accuracy", "ANN accuracy", "minus ANN", "McNemar p", *(f"EE {c}" for c in CONVENTIONS))
    return pd.DataFrame(rows, dtype=object).astype(
        {**dict.fromkeys(real, float), "parameters": int, "seeds": int}
    )


def paper_layout(records: Sequence[Record]) -> pd.DataFrame:
    """Table 8 in the article's layout: a row per network.

    Its ANN, and for every T accuracy, difference and EE, each with our 95 % interval and the article's words for that cell.
    Accuracies are in per cent, differences in points. Only networks of reading A with a spiking run. Columns: "network",
    "ANN", then for every T "SNN, T", "SNN - ANN, T", "EE, T", then "parameters".
    """
    places = by_place([r for r in records if reading_of(r.labels["note"]) == "A"])
    times = sorted({p.steps for p in places if p.role == "snn" and p.steps is not None})
    rows = []
    for name in dict.fromkeys(p.network for p in places if p.role == "snn"):
        ann = places.get(Place(name, "A", "ann", None), {})
        row: dict[str, object] = {
            "network": shown_name(name),
            "ANN, %": Beside(accuracy_estimate(ann), cell("Table 8", name, "ANN")),
        }
        for n, steps in enumerate(times):
            snn = places.get(Place(name, "A", "snn", steps), {})
            both = snn.keys() & ann.keys()
            loss = difference_estimate(snn, ann) if both else None
            # the text does not say the T of its numbers; they are shown with the first
            said = {c: "" if n else cell("Table 8", name, c) for c in ("SNN", "loss", "EE")}
            row[f"SNN, T = {steps}, %"] = Beside(accuracy_estimate(snn), said["SNN"])
            row[f"SNN − ANN, T = {steps}, points"] = Beside(loss, said["loss"])
            row[f"EE, T = {steps}"] = Beside(efficiency_estimate(snn), said["EE"])
        some = next(
            iter(
                (
                    *ann.values(),
                    *(r for p, runs in places.items() if p.network == name for r in runs.values()),
                )
            )
        )
        row["parameters"] = Sample(some, None, some.result).parameters
        rows.append(row)
    return pd.DataFrame(rows)


def tuning_table(records: Sequence[Record]) -> pd.DataFrame:
    """The tuning grid: one row per learning rate and gain, validation accuracy of the ANN and the spiking network.

    "chosen" marks the chosen point of each (``tuned``). Test accuracies are omitted because they played no part in the choice.
    """
    best = {role: tuning_point(record) for role, record in tuned(records).items()}
    tried: dict[tuple[float, float], dict[str, float]] = {}
    for record in records:
        tried.setdefault(tuning_point(record), {})[_tuned_role(record)] = _score(record)[0]
    table = pd.DataFrame(
        [
            {
                "learning rate": point[0],
                "gain": point[1],
                "ANN validation": accuracies.get("ANN"),
                "SNN validation": accuracies.get("SNN"),
                "chosen": " and ".join(role for role in ("ANN", "SNN") if best.get(role) == point),
            }
            for point, accuracies in sorted(tried.items())
        ]
    )
    return table.astype({"ANN validation": float, "SNN validation": float})


def tuned(records: Sequence[Record]) -> dict[str, Record]:
    """The chosen tuning run of "ANN" and of "SNN", by validation images only.

    Of the points whose accuracy is within one standard error of the highest, the one with the smallest learning rate is
    chosen; of several such points, the most accurate. The reason is that the recipe is used for deeper networks than the
    tuned one, and short runs favour learning rates that are too large for those.
    """
    by_role: dict[str, list[Record]] = {}
    for record in records:
        by_role.setdefault(_tuned_role(record), []).append(record)
    found = {}
    for role, tried in by_role.items():
        best, error = _highest(tried)
        close = [record for record in tried if _score(record)[0] >= best - error]
        rate = min(tuning_point(record)[0] for record in close)
        found[role] = max((record for record in close if tuning_point(record)[0] == rate), key=_score)
    return found


def most_accurate(records: Sequence[Record]) -> Record:
    """The tuning run with the highest validation accuracy; of several, the one with the lowest validation loss."""
    return max(records, key=_score)


def _highest(records: Sequence[Record]) -> tuple[float, float]:
    """The highest validation accuracy and its binomial standard error."""
    best = _score(most_accurate(records))[0]
    return best, (best * (1 - best) / records[0].spec.data.validation) ** 0.5


def tuning_caption(records: Sequence[Record]) -> str:
    """A caption: the settings that were tried, the data, and the resolution of the validation images."""
    spec, (_, error) = records[0].spec, _highest(records)
    times = ", ".join(
        str(steps) for steps in sorted({record.spec.input.steps or 0 for record in records} - {0})
    )
    return (
        f"{records[0].labels['network']} after {spec.training.epochs} epochs on {spec.data.train:,} images of "
        f"{data_name(spec.data)}, for every learning rate and initialisation gain tried; spiking networks with "
        f"T = {times}. Accuracy "
        f"on {spec.data.validation:,} validation images, where one standard error is about {100 * error:.1f} points. "
        f"Chosen: the smallest learning rate within one standard error of the best point.{_edges(records)}"
    )


def _edges(records: Sequence[Record]) -> str:
    """A sentence naming the networks whose chosen point is at the edge of the grid, so that a better one may lie outside."""
    outer = []
    for role, best in tuned(records).items():
        points = [tuning_point(record) for record in records if _tuned_role(record) == role]
        axes = list(zip(tuning_point(best), *points, strict=True))
        if any(len(set(axis)) > 1 and axis[0] in (min(axis), max(axis)) for axis in axes):
            outer.append(role)
    return (
        f" The chosen point of the {' and of the '.join(outer)} lies at the edge of the grid."
        if outer
        else ""
    )


def tuning_point(record: Record) -> tuple[float, float]:
    """(learning rate, gain) of a tuning run."""
    return record.spec.training.learning_rate, record.spec.network.gain


def _score(record: Record) -> tuple[float, float]:
    last = record.result["curve"][-1]
    return last["validation_accuracy"], -last["validation_loss"]


def _tuned_role(record: Record) -> str:
    roles = {"tuning-ann": "ANN", "tuning-snn": "SNN"}
    if record.labels["role"] not in roles:
        raise ValueError(f"records must have role tuning-ann or tuning-snn, got {record.labels['role']!r}")
    return roles[record.labels["role"]]
