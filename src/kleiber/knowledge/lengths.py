"""How many tokens a biography has, exactly, from the lengths of its pieces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.knowledge.pieces import Sentences


@dataclass(frozen=True)
class Lengths:
    """Mean, standard deviation and maximum of a text's tokens over all that can be written."""

    mean: float
    spread: float
    longest: int


def lengths(
    pieces: NDArray[np.int64],
    words: Iterable[tuple[int, int]],
    pronouns: Iterable[tuple[int, int]],
    sentences: Sequence[Sentences],
    employer: int,
    office: NDArray[np.int64],
) -> Lengths:
    """Add up the separator, words drawn alone, pronouns, and sentences with their values.

    ``words`` and ``pronouns`` are ``(first piece, number of pieces)``, each drawn uniformly; a
    text's pronouns are all the same one. Template and value of a sentence meet in the tail, and the
    employer (sentence ``employer``) decides the working city (the next), so these two are taken
    together, value by value.
    """
    one = [pieces[first : first + size] for first, size in words]
    one.append(np.sum([pieces[first : first + size] for first, size in pronouns], axis=0))
    grids = [_grid(pieces, part) for part in sentences]  # [template, value]
    work, city = grids[employer], grids.pop(employer + 1)[:, office]
    grids.pop(employer)
    mean = 1 + sum(part.mean() for part in (*one, *grids, work, city))
    variance = sum(part.var() for part in (*one, *grids, work, city))
    variance += 2 * np.cov(work.mean(axis=0), city.mean(axis=0), bias=True)[0, 1]
    longest = 1 + sum(part.max() for part in (*one, *grids))
    longest += (work.max(axis=0) + city.max(axis=0)).max()
    return Lengths(float(mean), math.sqrt(max(float(variance), 0.0)), int(longest))


def _grid(pieces: NDArray[np.int64], part: Sentences) -> NDArray[np.int64]:
    """Return the tokens of every template (row) with every value (column)."""
    template = np.arange(len(part.templates))
    around = pieces[part.lead + template] + pieces[part.rest + template]
    if not part.size:
        return around[:, None]
    return around[:, None] + pieces[part.value[:, None] + np.arange(part.size)]
