"""How many parameters a model has, and what a token costs, each in a named convention."""

from __future__ import annotations

from kleiber.recipes.scale import NORM_VECTORS
from kleiber.training.config import ModelConfig


def count_params(config: ModelConfig) -> dict[str, int]:
    """Return the parameters by group; ``total`` is P of the knowledge-capacity laws.

    For GPT-2, ``total = L (12 d² + 13 d) + V d + 2 d`` (arXiv 2404.05405, appendix A): rows in
    use only, the shared matrix once, biases and norms counted, no position table. An untied head
    pays its rows a second time. ``body`` is the same without embedding and head, which some laws
    call N. ``active`` leaves out the experts that a token does not pass: all of a dense model.
    """
    d, rows = config.width, config.vocab * config.width
    norms = config.layers * (1 if config.mlp == "none" else 2) + 1
    groups = {
        "embedding": rows,
        "head": 0 if config.tied else rows,
        "attention": config.layers * _attention(config),
        "mlp": config.layers * (_router(config) + _experts(config) * _mlp(config)),
        "norms": norms * NORM_VECTORS[config.norm] * d,
    }
    total = sum(groups.values())
    idle = config.layers * (_experts(config) - _passed(config)) * _mlp(config)
    body = total - groups["embedding"] - groups["head"]
    return {**groups, "total": total, "body": body, "active": total - idle}


def count_flops(config: ModelConfig, *, context: int | None = None) -> dict[str, float]:
    """Return training FLOPs a token (forward and backward) in four conventions.

    ``6nd``        6 times the parameters (Kaplan's 6ND, arXiv 2001.08361, embedding included)
    ``6nd_body``   6 times the parameters without embedding and head (as Kaplan counts N)
    ``matmul``     6 times the parameters that multiply, the head included, biases and norms not
    ``attention``  ``matmul`` plus scores and mixing over a full causal window: 6 L T d
                   (PaLM, arXiv 2204.02311, appendix B, halved: half of the scores are masked)

    Of a mixture of experts all four count the active parameters; an expert's empty places, which
    are multiplied all the same, are no one's tokens.
    """
    params = count_params(config)
    idle = params["total"] - params["active"]
    attention, mlp = _attention(config, biases=False), _mlp(config, biases=False)
    block = attention + _router(config) + _passed(config) * mlp
    matmul = 6.0 * (config.layers * block + config.vocab * config.width)
    window = config.context if context is None else context
    return {
        "6nd": 6.0 * params["active"],
        "6nd_body": 6.0 * (params["body"] - idle),
        "matmul": matmul,
        "attention": matmul + 6.0 * config.layers * window * config.width,
    }


def exact_flops(config: ModelConfig, *, context: int | None = None) -> float:
    """Return the FLOPs of all matrix products a token, forward and backward, as they are made.

    ``6 (L block + V D) + 12 L T D``: every multiplying matrix (biases, norms and looking up the
    embedding not), the head, and scores and mixing over the whole window T, the masked half too,
    which is computed and thrown away: ``attention`` of ``count_flops`` leaves it out. A product
    costs two FLOPs a multiplication, twice as much backward as forward. Of a mixture of experts the
    active ones; attention's kernel for long windows makes its scores once more on the way back,
    which is not counted.
    """
    window = config.context if context is None else context
    scores = 12.0 * config.layers * window * config.width
    return count_flops(config, context=window)["matmul"] + scores


def body_params(config: ModelConfig) -> int:
    """Return ``12 D^2 L``, the parameters of a transformer by its width and depth alone.

    Attention's 4 D^2 and 8 D^2 of an MLP of ratio 4, a layer; embedding, head, norms and biases
    left out (Kaplan et al., arXiv 2001.08361). Of a model with another MLP it is only a name.
    """
    return 12 * config.width**2 * config.layers


def optimal_tokens(config: ModelConfig, *, each: float = 20) -> float:
    """Return ``20 (12 D^2 L + D V)`` tokens, the rule of arXiv 2409.15156 after Chinchilla's.

    The head's rows count among the parameters, the embedding's do not.
    """
    return each * (body_params(config) + config.width * config.vocab)


def _attention(config: ModelConfig, *, biases: bool = True) -> int:
    """Return one layer's: queries, keys, values (fewer where heads share them) and the way out."""
    d, shared = config.width, 2 * config.key_heads * config.head_size
    return (d + shared) * d + d * d + (biases and config.biases) * (2 * d + shared)


def _mlp(config: ModelConfig, *, biases: bool = True) -> int:
    """Return one MLP's, or one expert's."""
    d, hidden = config.width, config.hidden
    ways_in = 2 if config.mlp == "gated" else 1
    return (ways_in + 1) * hidden * d + bool(hidden and biases and config.biases) * (
        ways_in * hidden + d
    )


def _experts(config: ModelConfig) -> int:
    return config.experts if config.mlp == "experts" else 1


def _passed(config: ModelConfig) -> int:
    return config.top_k if config.mlp == "experts" else 1


def _router(config: ModelConfig) -> int:
    return config.experts * config.width if config.mlp == "experts" else 0
