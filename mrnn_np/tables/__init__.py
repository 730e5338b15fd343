"""The paper's tables, measured here: one plan for all models, and what comes of it.

Knows: which rows and columns a table has, what the papers print there, which of their
conclusions hold. Does not know: how a model computes anything.
"""
