"""Trains the twin of the learner `network` in PyTorch on the CPU, on rows that the example `network_epoch` wrote.

    python pytorch_network.py '{"file": "rows.f32", "rows": 200000, "columns": 64, "treatments": 4, "hidden": [128, 128],
        "batch": 1024, "epochs": 3, "threads": 1}'

The same layers, loss (squared error, who is treated, targeted regularisation with its step solved for once an epoch),
optimiser and penalty. A row of the file: features, arm, outcome. Prints one JSON object.
"""

import json
import sys
import time

import numpy as np
import torch

TREATED, TARGETED, LEAST = 0.1, 0.05, 0.05

settings = json.loads(sys.argv[1])
torch.set_num_threads(settings["threads"])
torch.manual_seed(1)
rows, columns, treatments, batch = (settings[name] for name in ("rows", "columns", "treatments", "batch"))
table = torch.from_numpy(np.fromfile(settings["file"], dtype=np.float32).reshape(rows, columns + 2))
order = torch.randperm(rows)
held = int(rows * 0.15)
train, test = order[: rows - held], order[rows - held :]
x, arm, y = table[:, :columns].contiguous(), table[:, columns].long(), table[:, columns + 1]
y = (y - y.mean()) / y.std(correction=0)
# Any promotion, and each one's own place and its square: what the learner mixes where no table describes promotions.
heads = 1 + 2 * treatments
mixes = torch.zeros(treatments + 1, heads)
for treatment in range(treatments):
    mixes[treatment + 1, [0, 1 + 2 * treatment, 2 + 2 * treatment]] = 1.0
sizes = [columns, *settings["hidden"], 1 + heads + treatments + 1]
layers = []
for one, other in zip(sizes, sizes[1:]):
    layer = torch.nn.Linear(one, other)
    torch.nn.init.xavier_uniform_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layers += [layer, torch.nn.ReLU()]
model = torch.nn.Sequential(*layers[:-1])
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.5, eps=1e-8)
step, sums = torch.zeros(treatments), torch.zeros(2, treatments)


def loss_of(places):
    out, arms = model(x[places]), arm[places]
    margin = out[:, 0] + (mixes[arms] * out[:, 1 : 1 + heads]).sum(1)
    logits = out[:, 1 + heads :]
    chances = torch.softmax(logits, 1).detach().clamp(min=LEAST)
    own = chances.gather(1, arms[:, None])[:, 0]
    treated = torch.nn.functional.one_hot(arms, treatments + 1)[:, 1:].float()
    control = (arms == 0).float()
    gradient = treated / own[:, None] - (control / own)[:, None]
    residual = y[places] - margin
    rest = residual - gradient @ step
    with torch.no_grad():
        sums[0] += gradient.T @ residual
        sums[1] += (gradient**2).sum(0)
    surprise = torch.nn.functional.cross_entropy(logits, arms)
    return (0.5 * residual**2 + TARGETED * rest**2).mean() + TREATED * surprise


answer = {"seconds": [], "loss": [], "held_out": []}
for _ in range(settings["epochs"]):
    start, total = time.perf_counter(), 0.0
    shuffled = train[torch.randperm(len(train))]
    for begin in range(0, len(shuffled), batch):
        places = shuffled[begin : begin + batch]
        optimiser.zero_grad()
        loss = loss_of(places)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            weight, by = model[0].weight, 1e-3 * 0.2
            weight -= weight.clamp(-by, by)
        total += loss.item() * len(places)
    with torch.no_grad():
        held_out = sum(loss_of(test[begin : begin + 1024]).item() * len(test[begin : begin + 1024]) for begin in range(0, held, 1024)) / held
        step, sums = torch.where(sums[1] > 0, sums[0] / sums[1], 0.0), torch.zeros(2, treatments)
    answer["seconds"].append(time.perf_counter() - start)
    answer["loss"].append(total / len(train))
    answer["held_out"].append(held_out)
print(json.dumps(answer))
