"""The loss in pieces is torch's cross entropy, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch.func import grad_and_value, vmap
from torch.nn import functional as F

from kleiber.training import head


def plain(x: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(F.linear(x, weight), targets, ignore_index=head.IGNORED)


def some(models: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(models, 150, 8, generator=draw)
    weight = torch.randn(models, 31, 8, generator=draw)
    targets = torch.randint(0, 31, (models, 150), generator=draw)
    targets[:, ::7] = head.IGNORED
    return x, weight, targets


@pytest.fixture(autouse=True)
def always_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "LARGE", 0)
    monkeypatch.setattr(head, "PIECE", 31 * 64)  # pieces of 64, 64 and 22 rows


def test_pieces_are_the_whole() -> None:
    x, weight, targets = (part[0] for part in some())
    (ours_x, ours_w), ours = grad_and_value(head.head_loss, (0, 1))(x, weight, targets)
    (whole_x, whole_w), whole = grad_and_value(plain, (0, 1))(x, weight, targets)
    torch.testing.assert_close((ours, ours_x, ours_w), (whole, whole_x, whole_w))


def test_a_stack_is_its_models() -> None:
    slope = grad_and_value(head.head_loss, (0, 1))
    (_, stacked), losses = vmap(slope)(*some(3))
    for i in range(3):
        (_, single), loss = slope(*(part[i] for part in some(3)))
        torch.testing.assert_close((stacked[i], losses[i]), (single, loss))


def test_bfloat16_is_near() -> None:
    x, weight, targets = (part[0] for part in some())
    slope, loss = grad_and_value(plain, 1)(x, weight, targets)
    with torch.autocast("cpu", torch.bfloat16):
        ours, low = grad_and_value(head.head_loss, 1)(x, weight, targets)
    assert ours.dtype == torch.float32
    assert abs(low - loss) < 2e-2
    assert (ours - slope).norm() / slope.norm() < 2e-2


@pytest.mark.parametrize("rows", [7, 5000])  # the plain form and the pieces
def test_a_batch_that_asks_for_nothing_teaches_nothing(rows: int) -> None:
    x = torch.randn(rows, 8, requires_grad=True)
    weight = torch.randn(1000, 8, requires_grad=True)
    loss = head.head_loss(x, weight, torch.full((rows,), head.IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert x.grad is not None and not x.grad.any()
    assert weight.grad is not None and not weight.grad.any()


@pytest.mark.parametrize("whole", [True, False])  # the plain form and the pieces
def test_the_z_loss_by_hand(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if whole:
        monkeypatch.setattr(head, "LARGE", 1 << 30)
    x, weight, targets = (part[0] for part in some())
    nats, more = head.head_losses(x.requires_grad_(), weight.requires_grad_(), targets, 0.3)
    slopes = torch.autograd.grad(nats + more, (x, weight))
    logits = (x @ weight.T).double()
    asked = targets != head.IGNORED
    log_sum = logits.exp().sum(1).log()[asked]
    own = logits.gather(1, targets.clamp(min=0)[:, None])[asked, 0]
    torch.testing.assert_close(nats.double(), (log_sum - own).mean(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(more.double(), 0.3 * log_sum.square().mean(), rtol=1e-6, atol=1e-6)
    both = (log_sum - own).mean() + 0.3 * log_sum.square().mean()
    torch.testing.assert_close(slopes, torch.autograd.grad(both, (x, weight)))


def test_a_stack_with_a_z_loss_is_its_models() -> None:
    slope = grad_and_value(lambda *given: sum(head.head_losses(*given, 0.3)), (0, 1))
    (_, stacked), losses = vmap(slope)(*some(3))
    for i in range(3):
        (_, single), loss = slope(*(part[i] for part in some(3)))
        torch.testing.assert_close((stacked[i], losses[i]), (single, loss))
