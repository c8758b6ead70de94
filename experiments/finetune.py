"""Is a model that is fine-tuned on new documents as good as one that is trained on all at once, and what does it cost?

python experiments/finetune.py --data build/debian
"""

from __future__ import annotations

from collections.abc import Mapping

from new_labels import draw, recall
from runner import Change, Experiment, Results, Variant, main

from eclare_py import Dataset, Ranking
from eclare_py.data import DataFolder
from eclare_py.rank.models import Model

SHARE = 0.8


def measure(ranking: Ranking, folder: DataFolder, seed: int) -> Mapping[str, float]:
    """Recall of the labels that the first 80 % of the documents have, and of those that came later."""
    others = Change("documents", SHARE).apply(folder.train, seed).label_frequencies > 0
    return {
        f"{name}_R@{k}": recall(ranking, folder, mask, k)
        for name, mask in (("others", others), ("new", ~others))
        for k in (10, 100)
    }


def seconds(model: Model, dataset: Dataset, folder: DataFolder, ranking: Ranking) -> Mapping[str, float | None]:
    """What the fine-tuning took, where there was one."""
    return {"tune_s": float(model.facts["train_seconds"]) if "finetuned" in model.facts else None}


def cost(results: Results, data: str) -> list[str]:
    """Time of a fine-tuning beside that of a training."""
    tuned, whole = results.values(data, "fine-tuned", "tune_s"), results.values(data, "all at once", "train_s")
    shares = [one / other for seed, one in tuned.items() if one and (other := whole.get(seed))]
    if not shares:
        return []
    return [f"A fine-tuning took {min(shares):.2f} to {max(shares):.2f} of the time of a training on all at once."]


EXPERIMENT = Experiment(
    name="finetune",
    question="Is a model that is fine-tuned on new documents as good as one that is trained on all at once?",
    variants=(
        Variant("all at once"),
        Variant("80 % alone", change=Change("documents", SHARE)),
        Variant("fine-tuned", change=Change("tuned", SHARE)),
    ),
    base="all at once",
    shown=("P@1", "P@5", "PSP@5", "R@10", "R@100", "others_R@10", "new_R@10", "train_s", "tune_s"),
    draw=draw,
    measure=measure,
    study=seconds,
    more=cost,
    notes=(
        "*80 % alone* is trained on a random 80 % of the documents; it knows the texts of all labels. *Fine-tuned* is "
        "trained on these documents and the labels they have, and then tuned on the other 20 %, with the old ones "
        "replayed (`eclare finetune`). `others_` figures count the test pairs with a label that the 80 % have, `new_` "
        "all other pairs. `train_s` is the time of the training in seconds, `tune_s` that of the fine-tuning behind it."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
