"""Alembic migrations of the store.

After a change to tables.py: `python -m bench.store.migrations "what changed"`.
"""
