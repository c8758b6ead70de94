"""What does quality cost? Time against quality for the beam of the search, the dimensions and the epochs.

    python experiments/cost_of_quality.py --data build/debian

Beams share one trained network. For times that mean something, leave the machine alone, and train once before, so that
nothing measures a compiler.
"""

from __future__ import annotations

from pathlib import Path

from runner import Experiment, Results, Variant, main, plots

BEAMS, DIMS, EPOCHS = (50, 100, 200, 400, 600), (64, 128, 256), (2, 4, 6)
# A beam is what it says: neither a share of the leaves nor, on a small set, all labels.
WHOLE = ("index.beam_share=1.0", "index.exact_below=0")
SWEEPS = {
    "beam": [Variant(f"beam {beam}", (f"index.beam={beam}", *WHOLE)) for beam in BEAMS],
    "dimensions": [Variant(f"{dim} dimensions", (f"document.dim={dim}",)) for dim in DIMS],
    "epochs": [Variant(f"{epochs} epochs", (f"training.surrogate_epochs={epochs}",)) for epochs in EPOCHS],
}
COST = {"beam": "cpu_ms_a_document", "dimensions": "train_cpu_s", "epochs": "train_cpu_s"}
AXIS = {"cpu_ms_a_document": "CPU ms a document", "train_cpu_s": "training, CPU s"}
METRICS = ("R@100", "PSP@5", "P@1")


def draw(results: Results, path: Path) -> None:
    """Metrics (rows) against the cost of each sweep (columns)."""
    figure, axes = plots.panels(len(METRICS), len(SWEEPS), width=3.6, height=2.4)
    for row, metric in zip(axes, METRICS, strict=True):
        for panel, (sweep, variants) in zip(row, SWEEPS.items(), strict=True):
            for place, data in enumerate(results.data):
                costs = [results.spread(data, one.name, COST[sweep]) for one in variants]
                found = [(c.mean, results.spread(data, one.name, metric), one.name.replace(sweep, "").strip())
                         for c, one in zip(costs, variants, strict=True) if c is not None]  # fmt: skip
                if found:
                    xs, values, words = zip(*found, strict=True)
                    short = [word.split()[0] for word in words]
                    plots.curve(panel, xs, values, label=data, place=place, points=short)
            panel.set_xlabel(AXIS[COST[sweep]], color=plots.INK)
            panel.set_title(sweep, fontsize=9, color=plots.INK)
            panel.margins(x=0.12, y=0.25)
        row[0].set_ylabel(metric, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, "Time against quality", path)


EXPERIMENT = Experiment(
    name="cost_of_quality",
    question="What does quality cost?",
    variants=tuple(one for sweep in SWEEPS.values() for one in sweep),
    base="256 dimensions",
    shown=METRICS,
    draw=draw,
    notes=(
        "Processor seconds of the whole training and processor milliseconds a test document in one call. *256 "
        "dimensions* and *6 epochs* are the recipe as it is, unless documents are plenty; a beam is the number of "
        "leaves searched, without the "
        "recipe's limit by share."
    ),
)

if __name__ == "__main__":
    main(EXPERIMENT)
