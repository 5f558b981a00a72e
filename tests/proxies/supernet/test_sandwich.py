"""What one step of a supernet learns."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from bench.networks.cost import cost_quantities
from bench.proxies.supernet.sandwich import Sandwich
from bench.proxies.supernet.weights import SharedWeights

from .made import SMOKE

IMAGES = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double()
LABELS = torch.arange(8) % 3


def sandwich_of(weights: SharedWeights, *, networks: int = 3, seed: int = 0) -> Sandwich:
    return Sandwich(weights, SMOKE, networks=networks, label_smoothing=0.1, seed=seed)


def test_the_largest_learns_the_labels_and_the_others_what_it_answers() -> None:
    weights = SharedWeights.fresh(SMOKE, num_classes=3).double()  # some gradients are small differences of large ones
    step = sandwich_of(weights)
    loss = step(IMAGES, LABELS, 16)
    found = {name: value.grad.clone() for name, value in weights.named_parameters() if value.grad is not None}
    weights.zero_grad(set_to_none=True)

    answers = weights.run(step.largest, IMAGES)
    expected = F.cross_entropy(answers, LABELS, label_smoothing=0.1)
    taught = answers.detach().softmax(dim=1)
    (drawn,) = step.drawn(16)
    total = expected
    for architecture in (step.smallest, drawn):
        told = weights.run(architecture, IMAGES).log_softmax(dim=1)
        total = total - (taught * told).sum(dim=1).mean()
    total.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, expected)
    assert found.keys() == {name for name, value in weights.named_parameters() if value.grad is not None}
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, weights.get_parameter(name).grad)


def test_the_networks_of_a_step_follow_from_the_seed_and_the_pictures_seen() -> None:
    weights = SharedWeights.fresh(SMOKE, num_classes=3)
    first, second = (sandwich_of(weights, networks=6) for _ in range(2))
    assert first.drawn(0) == second.drawn(0)
    assert first.drawn(0) != first.drawn(16)
    assert first.drawn(0) != sandwich_of(weights, networks=6, seed=1).drawn(0)
    assert len(first.drawn(0)) == 4
    assert not any(SMOKE.broken_rules(found, cost_quantities) for found in first.drawn(32))
