"""All experiments of the runner in one call, so that what they have in common is trained once.

python experiments/everything.py --data build/debian
"""

from __future__ import annotations

import ablation
import cost_of_quality
import data_size
import missing_labels
import new_labels
import rare_labels
from runner import main

EXPERIMENTS = tuple(
    module.EXPERIMENT for module in (ablation, rare_labels, cost_of_quality, data_size, missing_labels, new_labels)
)

if __name__ == "__main__":
    main(*EXPERIMENTS)
