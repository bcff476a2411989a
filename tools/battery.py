"""Random bits of the fills, as 32-bit words on standard output, for a battery of statistical tests:

    python tools/battery.py | stdbuf -i 1M dieharder -a -g 200

    python tools/battery.py [N] [uniform|normal|raw]

N words, or as many as the reader takes: 6·10¹⁰ for all of dieharder. They come from float64 values of one huge array, made
part by part with `index=`, the parts of a length that starts them at all places of a kernel's group.

`uniform` packs two values of 53 bits in three words: the highest 32 bits of each, and between them the other 21 of the first
and 11 of the other 21 of the second. Bits are copied, none of them twice, so that the words are as random as the fill.
`normal` gives the first 32 bits of Φ(value), uniform to 2⁻⁵⁰ or so: what Box & Muller's two numbers or neighbouring pairs had
in common would show. `raw` gives the engine's words themselves, whose lowest bits no value has.
"""

import sys

import numpy as np
from scipy.special import ndtr

import xentfast as xf

SEED, NAME = 7, "battery"
GLOBAL = (2**40,)
PART = 2 * 131_071          # even, to be packed by twos, and otherwise a prime: parts start everywhere modulo a group


def uniform_words(start):
    bits = (part(xf.init.uniform, start) * 2.0**53).astype(np.uint64)
    first, second = bits[0::2], bits[1::2]
    words = np.empty((PART // 2, 3), np.uint32)
    words[:, 0] = first >> 21
    words[:, 1] = (first & 0x1FFFFF) << 11 | second >> 10 & 0x7FF
    words[:, 2] = second >> 21
    return words


def normal_words(start):
    return (ndtr(part(xf.init.normal, start)) * 2.0**32).astype(np.uint32)


def part(initialiser, start):
    return initialiser(GLOBAL, rng=SEED, name=NAME, dtype=np.float64, index=slice(start, start + PART), n_threads=1)


def word_parts(kind):
    generator = xf.random.Philox4x32(SEED)
    for start in range(0, GLOBAL[0] - PART, PART):
        if kind == "raw":
            yield generator.random_raw(PART).astype(np.uint32)
        else:
            yield uniform_words(start) if kind == "uniform" else normal_words(start)


def main(count=None, kind="uniform"):
    if kind not in ("uniform", "normal", "raw"):
        sys.exit(f"{kind!r}: expected uniform, normal or raw")
    left = float("inf") if count is None else int(count)
    for words in word_parts(kind):
        words = words.ravel()[:int(min(left, words.size))]
        try:
            sys.stdout.buffer.write(words)
            sys.stdout.buffer.flush()
        except BrokenPipeError:                 # the battery is done
            break
        left -= words.size
        if not left:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
