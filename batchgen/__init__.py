"""batchgen: one YAML manifest becomes many images, each paid for once.

The way of the data: `manifest` (what the user wrote) -> `plan` (what is wanted) -> `run` (how it gets done, over
`provider`, `ledger` and `images`) -> `review` (looking at it). `cli` is the only place that prints, reads the
environment or exits. `ARCHITECTURE.md` beside this file has the words, the map and the invariants.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
