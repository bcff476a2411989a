"""A bigram language model whose loops call xentfast's C functions: an example of a package that does."""

from bigram._model import new_weights, text_losses, train

__all__ = ["new_weights", "text_losses", "train"]
