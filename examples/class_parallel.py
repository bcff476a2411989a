"""Class-parallel cross-entropy: each process holds the logits of a slice of the classes, and one all-reduce joins them.

    python examples/class_parallel.py           # two processes, torch.distributed with gloo

Every process has the loss, and checks loss and gradient against the whole: the same bits. The first prints what each found.
"""
import os
import socket

import numpy as np
import torch
import torch.distributed
import torch.multiprocessing

import xentfast as xf

N_ROWS, N_CLASSES, CHUNK = 64, 50_257, 2048


def logits_of(classes):
    """What a process's part of the last layer would give: columns of one matrix."""
    return np.random.default_rng(0).standard_normal((N_ROWS, N_CLASSES), dtype=np.float32)[:, classes] * 3


def work(rank, ranks, port):
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    targets = np.random.default_rng(1).integers(0, N_CLASSES, N_ROWS)

    # Slices begin at multiples of a chunk; the last has what is left.
    n_chunks = -(-N_CLASSES // CHUNK)
    first, last = (n_chunks * r // ranks for r in (rank, rank + 1))
    classes = slice(first * CHUNK, min(last * CHUNK, N_CLASSES))
    logits = logits_of(classes)

    # Each process writes its chunks into zeros, and the sum of all is the join.
    partials = np.zeros((N_ROWS, n_chunks, 8))
    xf.softmax_cross_entropy_partial(logits, targets, first_class=classes.start, n_classes=N_CLASSES, out=partials[:, first:last])
    torch.distributed.all_reduce(torch.from_numpy(partials))

    loss = xf.softmax_cross_entropy_combine(partials, targets, n_classes=N_CLASSES)
    grad = xf.softmax_cross_entropy_combine_grad(partials, logits, targets, first_class=classes.start, n_classes=N_CLASSES)

    expected, expected_grad = xf.softmax_cross_entropy_value_and_grad(logits_of(slice(None)), targets)
    assert loss == expected and np.array_equal(grad, expected_grad[:, classes])
    line = f"process {rank} of {ranks}: classes {classes.start} to {classes.stop - 1}, loss {loss}, as of the whole"
    lines = [""] * ranks if rank == 0 else None
    torch.distributed.gather_object(line, lines)        # to one process: what several print at once runs together
    if rank == 0:
        print(*lines, sep="\n")
    torch.distributed.destroy_process_group()


def main(ranks=2):
    with socket.socket() as probe:                      # a port that is free
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(work, (ranks, port), ranks)


if __name__ == "__main__":
    main()
