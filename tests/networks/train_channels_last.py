"""Trains a few steps in channels_last and prints `finite`; test_fastvit.py runs it in a process that may die."""

import torch

from bench.networks import build

from .points import point

torch.set_num_threads(1)
network = build(point("t8"), num_classes=10).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
generator = torch.Generator().manual_seed(0)
for _ in range(4):
    pictures = torch.randn(16, 3, 64, 64, generator=generator).to(memory_format=torch.channels_last)
    loss = torch.nn.functional.cross_entropy(network(pictures), torch.arange(16) % 10)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("finite" if torch.isfinite(loss) else "not finite")
