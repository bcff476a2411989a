"""Softmax cross-entropy where a row's classes are in several places.

functions → checks → loops, and the checks, the calls and the problems of _softmax.
"""
