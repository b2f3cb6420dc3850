#!/usr/bin/python3
"""What PyTorch reaches with the models of examples/character_gru.cpp and examples/small_transformer.cpp, on tinyshakespeare:
    python3 measure_language_models.py path/to/input.txt gru|transformer seed
"""
import sys

import torch
from torch import nn

path, which, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.manual_seed(seed)
text = open(path).read()
number = {c: i for i, c in enumerate(sorted(set(text)))}
data = torch.tensor([number[c] for c in text])
split = len(data) * 9 // 10
train, unseen = data[:split], data[split:]
length, steps = (48, 500) if which == "gru" else (32, 600)
characters = len(number)


class GRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(characters, 32)
        self.gru = nn.GRU(32, 128, batch_first=True)
        self.output = nn.Linear(128, characters)

    def forward(self, x):
        return self.output(self.gru(self.embedding(x))[0])


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.position = nn.Embedding(characters, 64), nn.Embedding(length, 64)
        layer = lambda: nn.TransformerEncoderLayer(64, 4, 256, 0.0, batch_first=True, norm_first=True)
        self.first, self.second, self.norm = layer(), layer(), nn.LayerNorm(64)
        self.output = nn.Linear(64, characters)

    def forward(self, x):
        mask = torch.full((length, length), -torch.inf).triu(1)
        h = self.embedding(x) + self.position(torch.arange(length))
        return self.output(self.norm(self.second(self.first(h, mask), mask)))


def loss_of(rows):
    return nn.functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def windows(text, starts):
    return text[starts[:, None] + torch.arange(length + 1)]


model = GRU() if which == "gru" else Transformer()
adam = torch.optim.Adam(model.parameters(), 5e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
for step in range(steps):
    adam.zero_grad()
    loss_of(windows(train, torch.randint(0, split - length - 1, (32,)))).backward()
    adam.step()
    schedule.step()
with torch.no_grad():
    print(loss_of(windows(unseen, torch.arange(400) * ((len(unseen) - length - 1) // 400))).item())
