"""Every public function of xentfast beside the peers and the memory's own speed; `compare_peers.py` runs it.

softmax.py              softmax losses and softmax: what each library calls for each function
sigmoid.py              sigmoid losses
probabilities.py        probabilities
init.py                 initialisers
tensors.py              arrays to PyTorch and JAX, eager and compiled, with gradients
limits.py               the memory's own speed, from a few lines of C
cases.py                which function at which shape: the sections of the comparison
timing.py               medians of calls that take turns
tables.py               figures as text and as Markdown
levels.py               xentfast on each kernel level
plot.py                 the picture
"""
