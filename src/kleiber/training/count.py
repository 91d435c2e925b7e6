"""How many parameters a model has, and what a token costs, each in a named convention."""

from __future__ import annotations

from kleiber.training.config import ModelConfig


def count_params(config: ModelConfig) -> dict[str, int]:
    """Return the parameters by group; ``total`` is P of the knowledge-capacity laws.

    ``total = L (12 d² + 13 d) + V d + 2 d`` at an MLP ratio of 4 (arXiv 2404.05405, appendix A):
    rows in use only, the shared matrix once, biases and norms counted, no position table.
    ``body`` is the same without the embedding, which some laws call N.
    """
    d, r = config.width, config.mlp_ratio
    groups = {
        "embedding": config.vocab * d,
        "attention": config.layers * (4 * d * d + 4 * d),
        "mlp": config.layers * (2 * r * d * d + (r + 1) * d),
        "norms": config.layers * 4 * d + 2 * d,
    }
    total = sum(groups.values())
    return {**groups, "total": total, "body": total - groups["embedding"]}


def count_flops(config: ModelConfig, *, context: int | None = None) -> dict[str, float]:
    """Return training FLOPs a token (forward and backward) in four conventions.

    ``6nd``        6 times all parameters (Kaplan's 6ND, arXiv 2001.08361, embedding included)
    ``6nd_body``   6 times the parameters without the embedding (as Kaplan counts N)
    ``matmul``     6 times the parameters that multiply, the head included, biases and norms not
    ``attention``  ``matmul`` plus scores and mixing over a full causal window: 6 L T d
                   (PaLM, arXiv 2204.02311, appendix B, halved: half of the scores are masked)
    """
    params = count_params(config)
    d, r = config.width, config.mlp_ratio
    matmul = 6.0 * (config.layers * (4 + 2 * r) * d * d + config.vocab * d)
    window = config.context if context is None else context
    return {
        "6nd": 6.0 * params["total"],
        "6nd_body": 6.0 * params["body"],
        "matmul": matmul,
        "attention": matmul + 6.0 * config.layers * window * d,
    }
