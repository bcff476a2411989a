"""Sigmoid cross-entropy, element by element.

functions → checks → loops (compiled)
"""
