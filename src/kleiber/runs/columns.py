"""Which column of a table is which field: the names the field uses, and the order they win in.

A field takes, in this order: the column that the caller named; the column of the field's own
name; of its symbol; of its other aliases from left to right. Letter case and punctuation do
not count ("Model Size" is ``modelsize``), and a tracker's path counts by its last part
("throughput/total_tokens" is ``totaltokens``) after every whole name has been tried.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kleiber.errors import ColumnError, UsageError
from kleiber.runs.notes import Note, listing

# The first alias is the field's own name, normalised; the second its symbol, where it has one.
ALIASES: dict[str, tuple[str, ...]] = {
    "run": ("run", "runname", "runid", "name", "id"),
    "params": (
        *("params", "n", "nparams", "numparams", "parameters", "nparameters", "numparameters"),
        *("paramcount", "parametercount", "totalparams", "totalparameters", "paramstotal"),
        *("modelparams", "modelparameters", "modelsize", "size", "activeparams"),
    ),
    "tokens": (
        *("tokens", "d", "ntokens", "numtokens", "dtokens", "tokensseen", "seentokens"),
        *("consumedtokens", "traintokens", "trainingtokens", "tokenstrained", "totaltokens"),
        *("tokenstotal", "trainedtokens", "datasize", "datasetsize"),
    ),
    "loss": (
        *("loss", "l", "lossnats", "valloss", "validationloss", "evalloss", "testloss"),
        *("finalloss", "finalvalloss", "finalevalloss", "heldoutloss", "crossentropy"),
        *("crossentropyloss", "celoss", "nll", "trainloss", "trainingloss", "ppl", "perplexity"),
        *("valppl", "evalppl", "testppl", "valperplexity", "validationperplexity"),
        *("evalperplexity", "bpb", "bitsperbyte", "valbpb", "evalbpb", "bits", "bitspertoken"),
        "lossbits",
    ),
    "flops": (
        *("flops", "c", "flop", "totalflops", "trainflops", "trainingflops", "trainingflop"),
        *("totalflop", "compute", "totalcompute", "trainingcompute", "computeflops"),
        *("budget", "computebudget", "flopsbudget"),
    ),
    "step": (
        *("step", "steps", "globalstep", "currentstep", "currentsteps", "trainstep"),
        *("iteration", "iter", "iterations"),
    ),
    "tokens_per_step": (
        *("tokensperstep", "tokensperbatch", "batchtokens", "batchsizetokens"),
        "batchsizeintokens",
    ),
    "family": ("family", "modelfamily", "group", "source"),
    "recipe": ("recipe", "datarecipe", "mixture", "datamix", "dataset", "corpus"),
    "seed": ("seed", "randomseed", "torchseed"),
    "final": ("final", "isfinal"),
    "loss_unit": ("lossunit", "unit", "units", "losskind", "kind"),
    "params_nonembed": (
        *("paramsnonembed", "nonembeddingparams", "nonembedparams", "paramsnonembedding"),
        *("nnoemb", "nnoembed", "nnonemb", "nparamsnoembed", "nparamsnonembed"),
        *("paramsnoembed", "numparamsnonembedding", "nonembeddingparameters"),
    ),
    "planned_tokens": ("plannedtokens", "tokensplanned", "targettokens", "maxtokens"),
    "unique_tokens": ("uniquetokens", "datauniquetokens", "uniquedata"),
    "experts": ("experts", "numexperts", "nexperts", "numberofexperts"),
    "lr": ("lr", "learningrate", "peaklr", "maxlr", "peaklearningrate"),
    "validation_set": ("validationset", "valset", "evalset", "evaldataset"),
    "attention_logit_max": ("attentionlogitmax", "maxattentionlogit", "attnlogitmax"),
    "grad_rms": ("gradrms", "gradientrms", "rmsgrad"),
    "eps": ("eps", "adameps", "optimizereps"),
    "synthetic": ("synthetic", "issynthetic"),
}
REQUIRED = ("params", "tokens", "loss")
TEXT_FIELDS = ("run", "family", "recipe", "seed", "loss_unit", "validation_set")
_LOSS_WORDS = ("loss", "crossentropy", "perplexity", "ppl")
# "batch.size" and "user/id" are no sizes of models and no names of runs.
_PLAIN = ("size", "name", "id", "run", "unit", "units", "kind", "source", "group", "final")
_NOT_LOSS = re.compile(r"lower|upper|std|stderr|min|max|scale|unit|kind|aux|balanc")
_HELD_OUT = re.compile(r"(val|valid|validation|eval|test|heldout)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """The column that a field is read from, or several joined by "/" for a text field."""

    field: str
    columns: tuple[str, ...]
    how: Literal["given", "exact", "guessed"]
    losers: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """Return the column's name, or the several names with "+" between."""
        return "+".join(self.columns)


def parse_columns(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """Return field → column from a mapping or from ``"params=X,tokens=Y,loss=Z"``.

    A part without "=" belongs to the name before it, so that a name may hold a comma. Raises
    UsageError for an unknown field.
    """
    if columns is None:
        return {}
    given = dict(columns) if isinstance(columns, Mapping) else _pairs(columns)
    for field in given:
        if field not in ALIASES:
            raise UsageError(
                f"--columns knows no field '{field}'{_close(field, ALIASES)}.",
                remedy=f"The fields are {', '.join(ALIASES)}.",
            )
    return given


def parse_pairs(text: str, option: str) -> dict[str, str]:
    """Return ``a=x,b=y`` as a dictionary; raises UsageError naming the option."""
    pairs: dict[str, str] = {}
    last = ""
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            last = key.strip()
            pairs[last] = value.strip()
        elif last:
            pairs[last] += "," + part
        elif part.strip():
            raise UsageError(
                f"{option} '{text}' has no '='.", remedy=f"Write {option} NAME=VALUE,NAME=VALUE."
            )
    return pairs


def _pairs(text: str) -> dict[str, str]:
    return parse_pairs(text, "--columns")


def resolve(given: Mapping[str, str], columns: Sequence[str]) -> dict[str, Choice]:
    """Return the choice for every field that has one.

    Raises ColumnError for a named column that is not there, and for a loss that could be any
    of several columns.
    """
    chosen: dict[str, Choice] = {}
    for field in ALIASES:
        choice = given_choice(field, given, columns) if field in given else guess(field, columns)
        if choice is not None:
            chosen[field] = choice
    if "params" not in chosen and "params_nonembed" in chosen:
        spare = chosen["params_nonembed"]
        chosen["params"] = Choice("params", spare.columns, "guessed", spare.losers)
    return chosen


def guess(field: str, columns: Sequence[str]) -> Choice | None:
    """Return the column that a field's aliases choose, if any."""
    for names in (list(map(normal, columns)), list(map(_tail, columns))):
        ranked = [
            (alias, [c for c, n in zip(columns, names, strict=True) if n == alias])
            for alias in ALIASES[field]
        ]
        matches = [(alias, found) for alias, found in ranked if found]
        if matches:
            return _winner(field, matches, columns)
    return _by_word(columns) if field == "loss" else None


def _winner(
    field: str, matches: list[tuple[str, list[str]]], columns: Sequence[str]
) -> Choice | None:
    found = matches[0][1]
    if len(found) > 1:
        held_out = [column for column in found if _HELD_OUT.match(column)]
        exact = [column for column in found if column == field]
        found = exact or (held_out if len(held_out) == 1 else found)
        if len(found) > 1:
            return _ambiguous(field, found)
    winner = found[0]
    losers = [column for _, some in matches for column in some if column != winner]
    if field == "params":
        own = field if winner == field else ""  # both by their own names: nothing was chosen
        losers += [
            column
            for column in columns
            if normal(column) in ALIASES["params_nonembed"]
            and not (own and column == "params_nonembed")
        ]
    return Choice(field, (winner,), "exact" if winner == field else "guessed", tuple(losers))


def _by_word(columns: Sequence[str]) -> Choice | None:
    found = [
        column
        for column in columns
        if any(word in normal(column) for word in _LOSS_WORDS)
        and not _NOT_LOSS.search(re.split(r"[/|]", column)[0].lower())
        and not _NOT_LOSS.search(re.split(r"[/|]", column)[-1].lower())
    ]
    if len(found) > 1:
        return _ambiguous("loss", found)
    return Choice("loss", (found[0],), "guessed") if found else None


def _ambiguous(field: str, found: list[str]) -> Choice | None:
    if field not in REQUIRED:
        return None
    raise ColumnError(
        f"{field} could be any of {len(found)} columns: {listing(found, limit=8)}.",
        remedy=f"Choose one with --columns '{field}={found[0]}'.",
    )


def given_choice(field: str, given: Mapping[str, str], columns: Sequence[str]) -> Choice:
    """Return the choice of a field that was named; ColumnError for a column not there."""
    name = given[field]
    whole = find(name, columns)
    if whole is not None:
        return Choice(field, (whole,), "given")
    parts = [part.strip() for part in name.split("+")]
    if len(parts) > 1:
        if field not in TEXT_FIELDS:
            raise UsageError(
                f"--columns {field}={name}: only text can be composed of several columns.",
                remedy=f"Give one column for {field}.",
            )
        return Choice(field, tuple(existing(part, columns) for part in parts), "given")
    return Choice(field, (existing(name, columns),), "given")


def find(name: str, columns: Sequence[str]) -> str | None:
    """Return the column of a name: exactly, or the only one but for case and punctuation."""
    if name in columns:
        return name
    same = [column for column in columns if normal(column) == normal(name)]
    return same[0] if len(same) == 1 else None


def existing(name: str, columns: Sequence[str]) -> str:
    """Return the column of a name, or raise ColumnError that lists those that exist."""
    column = find(name, columns)
    if column is None:
        raise ColumnError(
            f"There is no column '{name}'{_close(name, columns)}.",
            remedy=f"The columns are: {listing(columns, limit=20)}.",
        )
    return column


def choice_notes(chosen: Mapping[str, Choice]) -> list[Note]:
    """Return a note for the guesses, and one for each choice that had rivals."""
    plain: list[str] = []
    notes: list[Note] = []
    for field, choice in chosen.items():
        if choice.how == "given" or (field == "tokens_per_step" and "tokens" in chosen):
            continue
        if choice.losers:
            over = listing((f"'{name}'" for name in choice.losers), limit=3)
            notes.append(Note("guessed", f"{field} from the column '{choice.column}', not {over}."))
        elif choice.how == "guessed":
            plain.append(f"{field} '{choice.column}'")
    if plain:
        notes.insert(0, Note("guessed", f"Columns by their names: {', '.join(plain)}."))
    return notes


def normal(name: str) -> str:
    """Return a name without letter case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _tail(name: str) -> str:
    """Return the last part of a tracker's path, unless it is too plain to mean anything."""
    tail = normal(re.split(r"[/.]", name)[-1]) if re.search(r"[/.]", name) else ""
    return "" if tail in _PLAIN or len(tail) < 2 else tail


def _close(name: str, names: Iterable[str]) -> str:
    by_normal = {normal(one): one for one in names}
    near = difflib.get_close_matches(normal(name), list(by_normal), n=2, cutoff=0.6)
    return f" (close: {', '.join(by_normal[one] for one in near)})" if near else ""
