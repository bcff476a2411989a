"""What all topics stand on: numbers, arrays, outputs, reductions, threads and kernel levels. Knows no loss.

numbers, arrays, values, outputs   what arguments may be, and the errors that say so
entry                              the plain case of a function, before it (compiled)
exchange                           arrays of other libraries
memory                             where arrays lie (compiled)
reduction                          mean, sum, none, and the mean of nothing (compiled)
targets                            the look at targets and weights before any work (compiled)
dispatch, level                    which kernels run, and their tables (compiled)
threads                            how many threads, and why
loops.pxi                          rows to threads, row values to one number: what every module with such loops includes
config                             what this copy is
"""
