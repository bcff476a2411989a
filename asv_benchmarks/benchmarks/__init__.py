"""Benchmarks for airspeed velocity, nearly all generated from a few tables; one class for each public function.

softmax.py, sigmoid.py, probabilities.py, partials.py, linear.py, init.py, boosting.py, torch.py, dask.py,
jax.py
                        a topic each: above, the table of functions, shapes and parameters; below, make_call: a case of the
                        table → arrays in memory and a call on them
arrays.py               what fills the arrays
suite.py                table × measure → the classes that asv looks for
speed.py                time of a call
imports.py, c_table.py   time to import the package, and of C functions; not from a table
memory.py               peak memory of a process, and what a call allocates beyond its outputs

In asv_benchmarks/, after ``asv machine --yes``:

asv run --quick --launch-method forkserver -E existing:$(which python)
                                                each benchmark once, with the installed package; fails where one fails
asv run main~5..main                            the last five commits, each built in a virtual environment; what a commit has
                                                not, a function, an option or a dtype, is n/a
asv run main^! --bench 'speed.*time_wide'       one commit, some benchmarks
asv continuous main~1 main                      two commits, compared (CONTRIBUTING.md: in ten minutes)
asv publish && asv preview                      the history as graphs
"""
