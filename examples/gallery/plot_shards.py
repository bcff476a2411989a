"""
Weights by shards, equal to the whole
=====================================

Eight machines make a matrix together, each its own part, in any cut; the bits are those of one machine, because an element
depends on seed, name and position alone. ``index=`` says which part.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib",) if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np

import xentfast as xf

shape = (64, 96)
whole = xf.init.he_normal(shape, rng=7, name="layer1/weight")

# %%
# Three ways to cut: by rows, by columns, and into tiles.
cuts = {
    "rows": [(slice(8 * k, 8 * k + 8), ...) for k in range(8)],
    "columns": [(..., slice(12 * k, 12 * k + 12)) for k in range(8)],
    "tiles": [(slice(32 * row, 32 * row + 32), slice(24 * column, 24 * column + 24)) for row in range(2) for column in range(4)],
}
figure, axes = plt.subplots(1, 4, figsize=(7, 1.9), layout="constrained")
axes[0].imshow(whole, cmap="RdBu", vmin=-0.6, vmax=0.6)
axes[0].set_title("the weights")
for place, (name, parts) in zip(axes[1:], cuts.items(), strict=True):
    joined, owner = np.full(shape, np.nan, np.float32), np.zeros(shape)
    for machine, index in enumerate(parts):
        # What one machine calls: the global shape, and its own part of it. Scales are those of the whole.
        joined[index] = xf.init.he_normal(shape, rng=7, name="layer1/weight", index=index)
        owner[index] = machine
    assert joined.tobytes() == whole.tobytes()
    place.imshow(owner, cmap="tab10", vmin=0, vmax=9)
    place.set_title(f"by {name}")
for place in axes:
    place.set(xticks=[], yticks=[])
plt.show()

# %%
# Names, not order: another parameter in the model changes none of those that were there, and a parameter can be made again by
# itself, years later, from a seed and its name.
small = {"layer1/weight": (xf.init.he_normal, shape), "layer1/bias": (xf.init.zeros, (96,))}
large = {"layer0/weight": (xf.init.he_normal, (32, 64)), **small, "layer2/weight": (xf.init.xavier_normal, (96, 10))}
first, second = xf.init.fill(small, rng=7), xf.init.fill(large, rng=7)
for name in small:
    assert first[name].tobytes() == second[name].tobytes()
assert second["layer1/weight"].tobytes() == whole.tobytes()

# %%
# Without a name all arrays of one int seed begin with the same words: what names are for.
nameless = xf.init.normal((3,), rng=7), xf.init.normal((3,), rng=7)
named = xf.init.normal((3,), rng=7, name="a"), xf.init.normal((3,), rng=7, name="b")
print("nameless:", *nameless)
print("named:   ", *named)
