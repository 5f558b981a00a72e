"""One search: its configuration, what is tried next, who tries it, and what is kept.

Ray Tune runs the jobs (`runner.py`), Optuna proposes (`proposer.py`), successive halving decides what is trained
longer (`halving.py`), and `plan.py` puts the three together without knowing Ray. `untrained.py` scores without
training; `validation/` says what a short training is worth.
"""
