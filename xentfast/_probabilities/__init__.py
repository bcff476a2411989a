"""Entropies of probabilities, and the log loss of labels.

functions → checks → loops (compiled)
"""
