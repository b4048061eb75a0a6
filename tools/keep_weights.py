"""Store the trained weights of recorded runs for ``snncore.load_pretrained``: ``python -m tools.keep_weights KEY...``.

The full weights are in ``runs/weights``, which is not committed. For each run named by its key this command finds the file
whose weights have the hash in the record, writes them in half precision to ``results/weights``, and measures the rounded
network on the run's own test images, with the run's own spikes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from panda2020.runs.executing import results_directory, runs_directory
from panda2020.runs.store import Record, RecordError, Store
from panda2020.tasks.train import build, fingerprint
from snncore.data import Splits, load
from snncore.network import Network
from snncore.pretrained import rounded, save_pretrained
from snncore.training import evaluate

EXAMPLES = 64  # test images kept with the weights, so that a network can be tried without its data set


def recorded(key: str, *, results: Path, runs: Path) -> Record:
    """The record of a training run.

    Raises:
        ValueError: no record, or one of another task.
    """
    record = Store(results).read(key) or Store(runs).read(key)
    if record is None:
        raise ValueError(f"KEY must name a record in {results} or {runs}, got {key!r}")
    if record["task"] != "train":
        raise ValueError(f"KEY must name a run of task 'train', got {key!r} of task {record['task']!r}")
    return record


def trained(record: Record, splits: Splits, *, runs: Path) -> Network:
    """The run's network with its full weights.

    Raises:
        ValueError: no file holds the weights named in the record.
    """
    network = build(record.spec, splits)
    files = sorted((runs / "weights").glob(f"{record.key}-*.pt"))
    for file in files:
        network.load_state_dict(torch.load(file, weights_only=True, map_location="cpu")["network"])
        if fingerprint(network) == record.result["weights_sha256"]:
            return network.eval()
    raise ValueError(
        f"{runs / 'weights'} must hold the weights that the record of {record.key} states, got {len(files)} files of this "
        "run, none of them with these: run it again, which keeps them (python -m panda2020 record)"
    )


def keep(
    key: str,
    *,
    name: str | None = None,
    results: Path,
    runs: Path,
    replace: bool = False,
    device: str = "cpu",
) -> str:
    """Store one run's weights in ``results/weights``.

    Args:
        key: the run.
        name: name for ``load_pretrained``; None for the network's name, followed by the run's role unless that is "snn".
        results: folder of the records; the weights go below it.
        runs: the folder of ``weights/``.
        replace: overwrite a network of this name.
        device: where the rounded network is measured.

    Returns:
        A sentence with both accuracies.

    Raises:
        ValueError: any error of ``recorded``, ``trained`` and ``save_pretrained``, or images that are not the record's.
    """
    record = recorded(key, results=results, runs=runs)
    spec = record.spec
    splits = load(spec.data)
    if splits.sha256 != record.result["data"]["sha256"]:
        raise ValueError(f"the images of {spec.data.name} must be those of run {key}, got others")
    network = trained(record, splits, runs=runs)
    network.load_state_dict(rounded(network.state_dict()))
    tested = evaluate(
        network.to(device), splits.test, spec.input, seed=spec.seed, device=device, activity=False
    )
    role = record.labels["role"]
    chosen = name or record.labels["network"] + ("" if role == "snn" else f"-{role}")
    description = {
        "input": asdict(spec.input),
        "classes": list(splits.classes),
        "data": spec.data.name,
        "record": key,
        "recorded_accuracy": record.result["accuracy"],
        "accuracy": tested.accuracy,
        "test_images": tested.total,
    }
    save_pretrained(
        chosen,
        network,
        description,
        examples=splits.test.images[:EXAMPLES],
        example_labels=splits.test.labels[:EXAMPLES],
        folder=results / "weights",
        replace=replace,
    )
    return (
        f"{chosen}: of {tested.total} test images, run {key} classified {record.result['accuracy']:.2%} correctly, "
        f"its weights in half precision {tested.accuracy:.2%}"
    )


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.keep_weights",
        description=__doc__,
        epilog="Example: python -m tools.keep_weights 9c3d2f0e5a7b1846 --name VGG3x4",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "keys", nargs="+", metavar="KEY", help="runs of task 'train', by the names of their records"
    )
    parser.add_argument("--name", help="what load_pretrained calls it (one KEY only)")
    parser.add_argument("--replace", action="store_true", help="overwrite a network of the same name")
    parser.add_argument(
        "--results", type=Path, default=results_directory(), help="records and weights/ below them"
    )
    parser.add_argument(
        "--runs", type=Path, default=runs_directory(), help="folder with weights/ of all runs"
    )
    parser.add_argument("--device", default="cpu", help="where the rounded network is measured")
    asked = parser.parse_args(arguments)
    if asked.name and len(asked.keys) > 1:
        parser.error(f"--name must come with one KEY, got {len(asked.keys)}")
    for key in asked.keys:
        try:
            said = keep(
                key,
                name=asked.name,
                results=asked.results,
                runs=asked.runs,
                replace=asked.replace,
                device=asked.device,
            )
        except (ValueError, OSError, RecordError) as error:
            print(error, file=sys.stderr)
            return 1
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
