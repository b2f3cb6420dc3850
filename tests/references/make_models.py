#!/usr/bin/python3
"""Makes models.safetensors with PyTorch (made with 1.13): a model's state dict and outputs, and its outputs after loading
models_from_xgrad.safetensors, which a program of the same model saved.
    /usr/bin/python3 tests/references/make_models.py
"""
import torch
import torch.nn.functional as F

from make import read, write


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(20, 8)
        self.said = torch.nn.LSTM(8, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.seen = torch.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0, batch_first=True)
        self.conv = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(54, 16), torch.nn.Linear(16, 16, bias=False)])
        self.heads = torch.nn.ModuleDict({"kind": torch.nn.Linear(16, 3), "score": torch.nn.Linear(16, 1)})
        self.register_buffer("scale", torch.tensor([0.5, 1.5, 2.0]))

    def forward(self, index, image):
        e = self.words(index)
        picture = F.max_pool2d(F.relu(self.norm(self.conv(image))), 2).flatten(1)
        h = torch.cat([self.said(e)[0][:, -1], self.seen(e).mean(1), picture], 1)
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return torch.cat([self.scale * self.heads["kind"](h), self.heads["score"](h)], 1)


def main():
    torch.manual_seed(5)
    net = Net()
    index, image = torch.randint(0, 20, (6, 4)), torch.randn(6, 2, 6, 6)
    net(index, 2 * image + 1)  # for the running statistics
    net.eval()
    write("models_from_torch", net.state_dict(), {"format": "pt"})
    with torch.no_grad():
        out = {"index": index, "image": image, "from_torch": net(index, image)}
        net.load_state_dict(read("models_from_xgrad"), strict=True)
        out["from_xgrad"] = net(index, image)
    write("models", out)


if __name__ == "__main__":
    main()
