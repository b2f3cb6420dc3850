#!/usr/bin/python3
"""Makes models.safetensors with PyTorch (made with 1.13): a model's state dict and outputs, and its outputs after loading
models_from_xgrad.safetensors, which a program of the same model saved.
    python3 tests/references/make_models.py
"""
import torch

from make import read, write


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(20, 8)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(8, 16), torch.nn.Linear(16, 16, bias=False)])
        self.heads = torch.nn.ModuleDict({"kind": torch.nn.Linear(16, 3), "score": torch.nn.Linear(16, 1)})
        self.register_buffer("scale", torch.tensor([0.5, 1.5, 2.0]))

    def forward(self, index):
        h = self.words(index).mean(1)
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return torch.cat([self.scale * self.heads["kind"](h), self.heads["score"](h)], 1)


def main():
    torch.manual_seed(5)
    net = Net()
    index = torch.randint(0, 20, (6, 4))
    write("models_from_torch", net.state_dict(), {"format": "pt"})
    out = {"index": index, "from_torch": net(index)}
    net.load_state_dict(read("models_from_xgrad"), strict=True)
    out["from_xgrad"] = net(index)
    write("models", out)


if __name__ == "__main__":
    main()
