"""Softmax cross-entropy, and softmax itself.

functions   what users call: the losses          normalise   … softmax, log_softmax, logsumexp
   │                                                 │
   ├── call      the arguments of a loss: one class, its plain case compiled; every other case goes down to
   │     └── checks   what is accepted, and the errors that say so
   └── loops     a call to a Problem, rows to threads (compiled)
"""
