from typing import Any

OPTIONS: tuple[str, ...]
softmax_cross_entropy: Any                          # a capsule
