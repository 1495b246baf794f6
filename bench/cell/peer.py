"""The article's network and its CAM in PyTorch, as a notebook's user would have them."""
import gzip
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from safetensors.torch import load_file
from torch import nn

ROOT = pathlib.Path("CHECKOUT") / "camlib"
torch.set_num_threads(THREADS)


def sample():
    """The 1,000 images of camlib, whose pixels are differences from their left."""
    records = np.frombuffer(gzip.decompress((ROOT / "cifar10/sample.bin.gz").read_bytes()), np.uint8)
    pixels = records.reshape(1000, 3073)[:, 1:].reshape(1000, 3, 32, 32)
    return np.cumsum(pixels, axis=3, dtype=np.uint8)


IMAGES = sample()


def image(i):
    return IMAGES[i]


def article():
    parts = []
    for i, (inputs, outputs) in enumerate([(3, 32), (32, 32), (32, 128), (128, 128), (128, 128)]):
        if i == 2:
            parts.append(nn.MaxPool2d(2))
        parts += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    net.load_state_dict(load_file(ROOT / "article/weights/model.safetensors"))
    return net.eval()


@torch.inference_mode()
def explain(net, pixels):
    x = torch.from_numpy(pixels.astype(np.float32) / 255)[None]
    act = net[:-3](x)
    score = net[-3:](act)
    c = int(score.argmax())
    return pixels, torch.einsum("k,khw->hw", net[-1].weight[c], act[0]).numpy(), c, float(score.softmax(1)[0, c])


def picture(maps):
    pixels, m, c, p = maps
    rgb = pixels.transpose(1, 2, 0)
    fig, axes = plt.subplots(1, 3, figsize=(7, 2.4))
    top = np.abs(m).max()
    axes[0].imshow(rgb)
    drawn = axes[1].imshow(m, cmap="coolwarm", vmin=-top, vmax=top)
    axes[2].imshow(rgb)
    axes[2].imshow(m, cmap="coolwarm", vmin=-top, vmax=top, alpha=0.5, extent=(-0.5, 31.5, 31.5, -0.5), interpolation="bilinear")
    axes[0].set_title(f"class {c}, p = {p:.3f}")
    fig.colorbar(drawn, ax=axes)
    display(fig)
    plt.close(fig)
