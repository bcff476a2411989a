"""A training step in PyTorch, forward and backward, with its own cross-entropy and with xentfast.torch's:

    python asv_benchmarks/comparisons/compare_torch.py [--head WIDTH] [--threads 2 1] [--seconds 0.5] [--quick]

Medians in ms of calls that take turns, in one run: compare ratios, not runs. In brackets how many times longer PyTorch's own,
eager, takes. The step is that of the loss alone on ready logits, or with --head that of a linear layer of that width as well.
"""

import argparse

import torch
from peers.timing import medians

import xentfast.torch

# Rows and classes: a language model's vocabulary, and an image classifier.
SHAPES = [(256, 50_257), (8_192, 1_000)]
DTYPES = [torch.float32, torch.bfloat16]
QUICK = [(8, 50)]
LOSSES = {"PyTorch": torch.nn.functional.cross_entropy, "xentfast": xentfast.torch.cross_entropy}


def training_step(cross_entropy, shape, dtype, width, compiled):
    """A function that makes the loss and the gradients of what the step starts from."""
    rows, classes = shape
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(classes, (rows,), generator=generator)
    if width:
        leaves = [torch.randn(size, width, generator=generator).to(dtype).requires_grad_() for size in (rows, classes)]

        def loss(hidden, weight):
            return cross_entropy(torch.nn.functional.linear(hidden, weight) * width**-0.5, target)
    else:
        leaves = [(torch.randn(shape, generator=generator) * 3).to(dtype).requires_grad_()]

        def loss(logits):
            return cross_entropy(logits, target)
    if compiled:
        loss = torch.compile(loss, fullgraph=True, dynamic=False)

    def step():
        for leaf in leaves:
            leaf.grad = None
        loss(*leaves).backward()
    return step


def compare(shape, dtype, threads, width, seconds):
    torch.set_num_threads(threads)
    torch.compiler.reset()
    steps = {f"{name}{', compiled' if compiled else ''}": training_step(loss, shape, dtype, width, compiled)
             for compiled in (False, True) for name, loss in LOSSES.items()}
    times = medians(steps, seconds)
    print(f"{shape[0]} × {shape[1]} {str(dtype).removeprefix('torch.')}, {threads} threads: "
          + ", ".join(f"{name} {time * 1e3:.2f} [{times['PyTorch'] / time:.2f}]" for name, time in times.items()), flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=int, default=0, metavar="WIDTH", help="of the linear layer before the loss")
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each step")
    parser.add_argument("--quick", action="store_true", help="a look at whether it runs, on few logits")
    options = parser.parse_args(arguments)
    for shape in QUICK if options.quick else SHAPES:
        for dtype in DTYPES:
            for threads in options.threads:
                compare(shape, dtype, threads, options.head, 0 if options.quick else options.seconds)


if __name__ == "__main__":
    main()
