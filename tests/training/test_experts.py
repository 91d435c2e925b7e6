"""A mixture of experts against the same written as loops over tokens, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import grad_and_value, vmap

from kleiber.errors import InputError
from kleiber.training import ModelConfig
from kleiber.training.experts import Each, Experts, places
from kleiber.training.machine import can_compile
from kleiber.training.model import GPT, initialise
from kleiber.training.step import Stepper

WIDTH = 6


def mixture(top_k: int, capacity: float, *, experts: int = 4, skew: float = 0.0) -> Experts:
    """Return experts with every parameter drawn; ``skew`` sends the tokens to the first ones."""
    made = Experts(
        ModelConfig(
            layers=1, width=WIDTH, heads=1, vocab=9, context=8,
            mlp="experts", mlp_ratio=1, experts=experts, top_k=top_k, capacity=capacity,
        )
    ).double()  # fmt: skip
    draw = torch.Generator().manual_seed(top_k + experts)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0, 0.6, generator=draw)
        made.router.weight[0] += skew
    return made


def tokens(batch: int = 2, window: int = 7) -> torch.Tensor:
    draw = torch.Generator().manual_seed(window)
    return torch.randn(batch, window, WIDTH, generator=draw, dtype=torch.float64) + 0.5


def by_hand(mix: Experts, x: torch.Tensor, top_k: int, factor: float):
    """Return output, balance loss and dropped (token, expert) pairs, one token after the other."""
    rows = x.reshape(-1, WIDTH)
    count, experts = len(rows), mix.count
    most = top_k * math.floor(factor * math.ceil(count / experts))
    scores = torch.softmax(rows @ mix.router.weight.T, -1)
    order = scores.argsort(dim=-1, descending=True)
    taken, dropped = [0] * experts, []
    out = torch.zeros_like(rows)
    for choice in range(top_k):
        for n in range(count):
            e = int(order[n, choice])
            if taken[e] >= most:
                dropped.append((n, e))
                continue
            taken[e] += 1
            gate = scores[n, e]
            if top_k > 1:
                gate = gate / sum(scores[n, int(order[n, k])] for k in range(top_k))
            inner = torch.nn.functional.gelu(
                mix.fc.weight[e] @ rows[n] + mix.fc.bias[e], approximate="tanh"
            )
            out[n] = out[n] + gate * (mix.out.weight[e] @ inner + mix.out.bias[e])
    firsts = torch.zeros(experts, dtype=rows.dtype)
    for n in range(count):
        firsts[int(order[n, 0])] += 1 / count
    balance = experts * sum(scores[:, e].mean() * firsts[e] for e in range(experts))
    return out.view_as(x), balance, dropped


CASES = [  # top_k, capacity, skew: nothing dropped, some, nearly all
    (1, 4.0, 0.0),
    (1, 1.0, 1.0),
    (1, 0.5, 2.0),
    (2, 4.0, 0.0),
    (2, 1.0, 1.0),
    (3, 0.6, 0.5),
]


@pytest.mark.parametrize(("top_k", "capacity", "skew"), CASES)
def test_router_and_experts_are_the_loops(top_k: int, capacity: float, skew: float) -> None:
    mix, x = mixture(top_k, capacity, skew=skew), tokens()
    out, balance = mix(x, test=False)
    theirs, even, dropped = by_hand(mix, x, top_k, capacity)
    assert (capacity == 4.0) == (not dropped)  # the cases drop where they are meant to
    torch.testing.assert_close(out, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(balance, even, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("top_k", "capacity", "skew"), CASES)
def test_gradients_are_the_loops(top_k: int, capacity: float, skew: float) -> None:
    mix, x = mixture(top_k, capacity, skew=skew), tokens().requires_grad_()
    away = tokens(batch=2).flip(0)
    out, balance = mix(x, test=False)
    ours = torch.autograd.grad((out * away).sum() + 3 * balance, [x, *mix.parameters()])
    out, balance, _ = by_hand(mix, x, top_k, capacity)
    theirs = torch.autograd.grad((out * away).sum() + 3 * balance, [x, *mix.parameters()])
    for one, other in zip(ours, theirs, strict=True):
        assert other.any()
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_dropped_token_passes_by_alone() -> None:
    mix, x = mixture(1, 0.5, skew=50.0), tokens().abs()  # all want the first expert
    route = mix.route(x.flatten(0, 1), test=False)
    assert route.places == math.floor(0.5 * math.ceil(14 / 4)) == 2
    out, _ = mix(x, test=False)
    said = out.flatten(0, 1).abs().sum(-1) > 0
    assert said.tolist() == [True, True] + [False] * 12  # in the order of the text
    with torch.no_grad():
        whole, _ = mix(x, test=True)  # eight times an even share: all of them
    assert (whole.flatten(0, 1).abs().sum(-1) > 0).all()
    assert route.dropped == pytest.approx(12 / 14)


@pytest.mark.parametrize(
    ("count", "experts", "top_k", "factor", "each"),
    [(512, 32, 1, 2.0, 32), (500, 32, 1, 2.0, 32), (33, 32, 1, 1.5, 3), (64, 8, 2, 1.25, 20)],
)
def test_the_places_of_an_expert(
    count: int, experts: int, top_k: int, factor: float, each: int
) -> None:
    assert places(count, experts, top_k, factor) == each


def test_no_more_places_than_tokens_and_never_none() -> None:
    assert places(10, 4, 1, 100.0) == 10
    with pytest.raises(
        InputError, match=r"capacity 0\.5 take none of 10 tokens.*share among 32 is 1"
    ):
        places(10, 32, 1, 0.5)


def test_the_balance_loss_is_1_where_all_is_even() -> None:
    mix = mixture(1, 4.0)
    with torch.no_grad():
        mix.router.weight.copy_(30 * torch.eye(4, WIDTH))
    x = torch.eye(4, WIDTH, dtype=torch.float64).repeat(3, 1)[None]
    assert mix(x, test=False)[1].item() == pytest.approx(1.0, rel=1e-6)
    x[:] = x[0, 0]  # one takes all
    assert mix(x, test=False)[1].item() == pytest.approx(4.0, rel=1e-6)


def test_a_stack_of_mixtures_is_its_mixtures() -> None:
    mixes = [mixture(2, 1.0, experts=e, skew=1.0) for e in (4, 4)]
    with torch.no_grad():
        for parameter in mixes[1].parameters():
            parameter.mul_(0.7)
    params = [dict(mix.named_parameters()) for mix in mixes]
    stacked = {name: torch.stack([p[name].detach() for p in params]) for name in params[0]}
    x = torch.stack([tokens(), tokens().flip(1)])

    def loss(values: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        out, balance = torch.func.functional_call(mixes[0], values, (x,), {"test": False})
        return (out**2).sum() + balance

    slope = grad_and_value(loss)
    together, losses = vmap(slope)(stacked, x)
    for i in range(2):
        single, alone = slope({name: value[i] for name, value in stacked.items()}, x[i])
        torch.testing.assert_close(losses[i], alone)
        for name, value in single.items():
            torch.testing.assert_close(together[name][i], value)


def test_an_expert_starts_and_decays_as_a_matrix_does() -> None:
    from kleiber.training import TrainConfig

    shape = ModelConfig(
        layers=1, width=16, heads=1, vocab=9, context=8, mlp="experts", mlp_ratio=1, experts=8
    )
    model = GPT(shape)
    initialise(model, 3)
    block = model.blocks[0].mlp
    for weight in (block.fc.weight, block.out.weight, block.router.weight):
        assert weight.std().item() == pytest.approx(0.6 / 4, rel=0.2)
    assert not block.fc.bias.any() and not block.out.bias.any()
    stepper = Stepper(shape, [TrainConfig(lr=1e-3)])
    decayed = stepper._unflatten(stepper.decays_P)
    assert decayed["blocks.0.mlp.fc.weight"].all() and not decayed["blocks.0.mlp.fc.bias"].any()


def test_a_pass_that_learns_nothing_reads_at_test_capacity() -> None:
    shape = ModelConfig(
        layers=1, width=16, heads=1, vocab=9, context=24,
        mlp="experts", mlp_ratio=1, experts=8, capacity=0.4, test_capacity=8.0,
    )  # fmt: skip
    model = GPT(shape)
    initialise(model, 0)
    with torch.no_grad():
        model.blocks[0].mlp.router.weight[0] += 3.0
    text = torch.randint(0, 9, (2, 24), generator=torch.Generator().manual_seed(0))
    learnt = model(text[:, :-1], text[:, 1:])
    tested = torch.nn.functional.cross_entropy(
        model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten()
    )
    assert abs(learnt - tested) > 1e-3
    torch.testing.assert_close(model.eval()(text[:, :-1], text[:, 1:]), tested)


@pytest.mark.skipif(not can_compile(), reason="needs a C++ compiler and Python's headers")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on import
def test_compiled_experts_are_the_same() -> None:
    mix, x = mixture(2, 1.0, skew=1.0), tokens()
    compiled = torch.compile(lambda x: mix(x, test=False), dynamic=False)
    torch.testing.assert_close(compiled(x), mix(x, test=False))


def test_each_is_a_linear_map_of_each() -> None:
    each = Each(3, 5, 4, bias=True)
    with torch.no_grad():
        for parameter in each.parameters():
            parameter.normal_()
    x = torch.randn(3, 7, 5)
    alone = [torch.nn.functional.linear(x[e], each.weight[e], each.bias[e]) for e in range(3)]
    torch.testing.assert_close(each(x), torch.stack(alone))
