"""Fewer bits a weight: what a trained model still knows when its weights are rounded.

``grid`` codes, scales and storage, and rounding to nearest · ``gptq`` rounding that makes up for
its errors · ``places`` which parameters of a model · ``calibrate`` what its linear maps read ·
``model`` a whole model · ``aware`` fine-tuning through the rounding · ``table`` a run folder's bits
before and after. Source: result 8 of arXiv 2404.05405, and what its reviewers asked for.
"""

from __future__ import annotations
