"""A linear layer and its loss, without its logits.

functions → checks → products, and the losses and partial results of the chunks by _softmax and _partials.
"""
