"""Times epochs of the next-item encoder's twin in PyTorch, on the CPU.

    python pytorch_epoch.py '{"users": 20000, "events": 50, "items": 20000, "width": 64, "heads": 2, "layers": 2,
        "inner": 256, "dropout": 0.2, "negatives": 512, "batch": 6400, "epochs": 2, "rate": 0.001, "threads": 1}'

The same network (normalised before each layer, ReLU, learnt positions, shared item vectors), the
same loss (softmax over the next item and shared candidates, each corrected by the chance of being
drawn), the same optimiser and the same generated sequences as the example `sequence_epoch`, which
calls this script. Items' vectors move by `SparseAdam`, as ours do: only those that a step touched;
`"lazy": false` moves all of them in every step by `Adam`. Prints one JSON object.
"""

import json
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def mix(z):
    """SplitMix64's finaliser."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def sequences(users, events, items):
    """Three in four items follow from the one before up to a choice of four; the rest are any."""
    table = np.empty((users, events + 1), dtype=np.int64)
    for place in range(events + 1):
        bits = mix(np.arange(users, dtype=np.uint64) * np.uint64(events + 1) + np.uint64(place))
        free = ((bits >> np.uint64(8)) % np.uint64(items)).astype(np.int64)
        if place == 0:
            table[:, 0] = free
            continue
        choice = ((bits >> np.uint64(8)) % np.uint64(4)).astype(np.int64)
        follows = (7 * table[:, place - 1] + 1 + choice) % items
        table[:, place] = np.where(bits & np.uint64(3), follows, free)
    return torch.from_numpy(table)


class Block(nn.Module):
    def __init__(self, width, heads, inner, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention, self.before_dense = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        rows, length, width = x.shape
        parts = self.query_key_value(self.before_attention(x)).view(rows, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).reshape(rows, length, width)
        x = x + F.dropout(self.output(seen), self.dropout)
        return x + F.dropout(self.narrow(F.relu(self.widen(self.before_dense(x)))), self.dropout)


class Network(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.items = nn.Embedding(s["items"], s["width"], sparse=s.get("lazy", True))
        self.positions = nn.Embedding(s["events"], s["width"])
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.normal_(self.positions.weight, std=0.05)
        self.blocks = nn.ModuleList(Block(s["width"], s["heads"], s["inner"], s["dropout"]) for _ in range(s["layers"]))
        self.last = nn.LayerNorm(s["width"])
        for linear in (module for module in self.blocks.modules() if isinstance(module, nn.Linear)):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
        self.scale, self.dropout, self.negatives = math.sqrt(s["width"]), s["dropout"], s["negatives"]

    def loss(self, batch):
        inputs, targets = batch[:, :-1], batch[:, 1:].reshape(-1)
        x = F.dropout(self.items(inputs) * self.scale + self.positions.weight, self.dropout)
        for block in self.blocks:
            x = block(x)
        states = self.last(x).reshape(len(targets), -1)
        count = self.items.num_embeddings
        candidates = torch.randint(count, (self.negatives,)).unique()
        correction = -math.log(1 - (1 - 1 / count) ** self.negatives)
        own = (states * self.items(targets)).sum(1, keepdim=True)
        others = states @ self.items(candidates).T + correction
        others = others.masked_fill(candidates[None, :] == targets[:, None], -torch.inf)
        return F.cross_entropy(torch.cat([own, others], 1), torch.zeros(len(targets), dtype=torch.long))


def main():
    s = json.loads(sys.argv[1])
    torch.set_num_threads(s["threads"])
    torch.manual_seed(0)
    data = sequences(s["users"], s["events"], s["items"])
    network = Network(s)
    dense = [weight for name, weight in network.named_parameters() if name != "items.weight"]
    of_items = (
        torch.optim.SparseAdam([network.items.weight], lr=s["rate"])
        if s.get("lazy", True)
        else torch.optim.Adam([network.items.weight], lr=s["rate"], fused=True)
    )
    optimizers = [torch.optim.Adam(dense, lr=s["rate"], fused=True), of_items]
    seconds, losses = [], []
    for _ in range(s["epochs"]):
        start, total = time.perf_counter(), 0.0
        for users in torch.randperm(len(data)).split(s["batch"] // s["events"]):
            network.zero_grad()
            loss = network.loss(data[users])
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item() * len(users)
        seconds.append(time.perf_counter() - start)
        losses.append(total / len(data))
    print(json.dumps({"seconds": seconds, "losses": losses, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
