"""How it gets done: from a manifest's path to a run's summary, over provider, ledger and images."""
