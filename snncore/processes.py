"""Several processes that train one network, started by ``torchrun``: each processes its share of every batch.

Every process draws the random numbers of the whole batch, so images, spikes and masks equal those of a single process.
A process computes the features of its share; the head then sees the features of the whole batch in every process.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


def processes() -> int:
    """Number of processes; 1 without a process group of ``torch.distributed``."""
    return distributed.get_world_size() if _grouped() else 1


def process() -> int:
    """Number of this process, from 0."""
    return int(distributed.get_rank()) if _grouped() else 0


def share(images: int) -> slice:
    """This process's part of a batch; the parts differ by at most one image."""
    one, count = process(), processes()
    return slice(images * one // count, images * (one + 1) // count)


def gather(features: Tensor, images: int) -> Tensor:
    """Collect the features of the whole batch, (images, F), from all shares. Only this process's share has a gradient.

    The gradient is multiplied by the number of processes, because ``DistributedDataParallel`` averages gradients and the
    sum is needed.

    Args:
        features: of this process's share.
        images: images of the whole batch.
    """
    count = processes()
    if count == 1:
        return features
    own = share(images)
    whole = features.new_zeros(images, *features.shape[1:])
    whole[own] = features.detach()
    distributed.all_reduce(whole)  # sums values and zeros, which gathers parts of unequal length
    if features.requires_grad:
        features.register_hook(lambda gradient: gradient * count)
    return torch.cat([whole[: own.start], features, whole[own.stop :]])


def first_says(value: Any) -> Any:
    """Return the ``value`` of the first process in every process. The value must be picklable."""
    if processes() == 1:
        return value
    held = [value]
    distributed.broadcast_object_list(held, src=0)
    return held[0]


def same_everywhere(value: Any) -> bool:
    """Return whether all processes hold an equal ``value``. The value must be picklable."""
    if processes() == 1:
        return True
    held: list[Any] = [None] * processes()
    distributed.all_gather_object(held, value)
    return all(one == held[0] for one in held)


def wait_for_all() -> None:
    """Return once every process has called this."""
    if processes() > 1:
        distributed.barrier()


def wrap(network: nn.Module) -> nn.Module:
    """Wrap the network in ``DistributedDataParallel``, unless it is already wrapped or there is one process."""
    if processes() == 1 or isinstance(network, DistributedDataParallel):
        return network
    return DistributedDataParallel(network)


def check_shares(images: int, batch_size: int, *, batch_norm: bool) -> None:
    """Check that the processes can share every batch of an epoch.

    Raises:
        ValueError: a batch that they cannot share.
    """
    count = processes()
    if batch_size % count:
        raise ValueError(
            f"batch_size must be a multiple of the {count} processes that share it, got {batch_size}"
        )
    last = images % batch_size
    if 0 < last < count:
        raise ValueError(
            f"batch_size must leave at least {count} images for the last batch, one for each process, got "
            f"{batch_size}, which leaves {last} of {images}"
        )
    if count > 1 and batch_norm:
        raise ValueError(
            f"batch_norm must be False where {count} processes share a batch, as each would normalise its own part, got True"
        )


def _grouped() -> bool:
    return distributed.is_available() and distributed.is_initialized()
