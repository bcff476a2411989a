"""
Handwritten digits by a perceptron
==================================
"""
import xentfast as xf

print(xf.softmax_cross_entropy([[0.0, 1.0]], [1]))
