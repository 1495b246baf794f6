#!/usr/bin/env python3
"""Makes the networks of notebook 09: torchvision's architectures with few channels and random weights, as ONNX files.

    python3 -m venv V && V/bin/pip install torch==2.15.0 torchvision==0.29.2 onnx==1.23.2 onnxscript==0.7.2
    V/bin/python make.py
"""
import os

import onnx
import torch
from torch import nn
from torchvision import models

BY = 32  # times fewer channels than torchvision's


def narrow(net):
    """Makes all layers but the input and the scores of a chain of convolutions and linear layers narrower."""
    last = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
    for parent in list(net.modules()):
        for name, m in list(parent.named_children()):
            if isinstance(m, nn.Conv2d):
                inputs = m.in_channels if m.in_channels == 3 else m.in_channels // BY
                setattr(parent, name, nn.Conv2d(inputs, m.out_channels // BY, m.kernel_size, m.stride, m.padding))
            elif isinstance(m, nn.Linear):
                setattr(parent, name, nn.Linear(m.in_features // BY, m.out_features if m is last else m.out_features // BY))
    return net


def draw(net, seed):
    """Draws weights that keep the size of activations (He et al. 2015), and no biases."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                m.weight.normal_(0, (2 / m.weight[0].numel()) ** 0.5, generator=g)
                if m.bias is not None:
                    m.bias.zero_()
    return net.eval()


networks = {
    "alexnet": narrow(models.alexnet(num_classes=10)),
    "vgg11": narrow(models.vgg11(num_classes=10)),
    "mobilenet_v2": models.mobilenet_v2(num_classes=10, width_mult=0.1),
}
for seed, (name, net) in enumerate(networks.items()):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".onnx")
    torch.onnx.export(draw(net, seed), (torch.zeros(1, 3, 224, 224),), path, dynamo=True, external_data=False, verbose=False)
    model = onnx.load(path)
    for node in model.graph.node:  # where in this program it comes from, and whose
        kept = {p.key: p.value for p in node.metadata_props if p.key == "namespace"}
        node.ClearField("metadata_props")
        for key, value in kept.items():
            node.metadata_props.add(key=key, value=value)
    model.graph.ClearField("value_info"), model.ClearField("metadata_props"), model.graph.ClearField("metadata_props")
    onnx.save(model, path)
    print(path, os.path.getsize(path), "bytes,", sum(p.numel() for p in net.parameters()), "weights")
