"""One step of a supernet: the sandwich rule with in-place distillation (Yu et al. 2020, "BigNAS").

The largest network learns the labels; the smallest and a few drawn ones learn, from the same pictures, what the largest
answers. The gradients of all are added up before the optimiser steps. Ends that are always trained bound what lies
between them, and one teacher keeps the networks from pulling the shared weights apart.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import grad

from bench.networks.cost import cost_quantities
from bench.proxies.judging import precision
from bench.proxies.supernet.extremes import largest, smallest
from bench.proxies.supernet.weights import SharedWeights
from bench.space import Architecture, CostFunction, Space, draw


class Sandwich:
    """What a step of the training of shared weights learns, for `bench.proxies.training.Training`.

    Args:
        weights: that learn.
        space: whose valid networks are drawn.
        networks: in a step, the largest and the smallest among them.
        label_smoothing: for the largest.
        seed: of the draws; which networks a step has follows from it and from the pictures seen before.
        costs: what rules read.

    Attributes:
        largest, smallest: valid networks of which no choice can be raised, or lowered.
    """

    def __init__(
        self,
        weights: SharedWeights,
        space: Space,
        *,
        networks: int,
        label_smoothing: float,
        seed: int,
        costs: CostFunction = cost_quantities,
    ) -> None:
        self.largest, self.smallest = largest(space, costs), smallest(space, costs)
        self._weights, self._space, self._costs = weights, space, costs
        self._num_drawn, self._label_smoothing, self._seed = networks - 2, label_smoothing, seed

    def __call__(self, images: Tensor, labels: Tensor, seen: int) -> Tensor:
        """Adds the gradients of all networks of the step; gives the loss of the largest."""
        outputs = self._run(self.largest, images)
        loss = F.cross_entropy(outputs, labels, label_smoothing=self._label_smoothing)
        self._add_gradients(loss)
        taught = outputs.detach().softmax(dim=1)
        for architecture in (self.smallest, *self.drawn(seen)):
            # Cross entropy takes probabilities too: that of the teacher's answers with the network's own.
            self._add_gradients(F.cross_entropy(self._run(architecture, images), taught))
        return loss

    def drawn(self, seen: int) -> list[Architecture]:
        """The networks that are drawn for the step after `seen` pictures."""
        random = np.random.default_rng([self._seed, seen])
        return [draw(self._space, random, self._costs) for _ in range(self._num_drawn)]

    def _add_gradients(self, loss: Tensor) -> None:
        # Not `backward`, which adds in place: the gradients of two parts, such as the biases of branches that are added
        # up, may be one tensor in memory, and would be added to twice (torch 2.14).
        parameters = list(self._weights.parameters())
        for parameter, gradient in zip(parameters, grad(loss, parameters, allow_unused=True), strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def _run(self, architecture: Architecture, images: Tensor) -> Tensor:
        with precision(images.device):
            return self._weights.run(architecture, images).to(images.dtype)
