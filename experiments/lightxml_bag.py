"""The experiment of `lightxml.py` with a bag of embeddings for the transformer.

python experiments/lightxml_bag.py --data build/debian
"""

from __future__ import annotations

from lightxml import light
from runner import main

EXPERIMENT = light(
    "lightxml_bag", "What do discriminator and dynamic negatives of LightXML add, over a bag of embeddings?",
    "document.kind=bag", "lightxml.batch_size=64",
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
