"""torchvision's networks, as peers.py does the article's.

    python networks.py PEER FOLDER [first NETWORK]
    python networks.py export FOLDER NETWORK ...

export writes NETWORK.onnx and NETWORK.pt, with random weights, of which times do not depend.
Grad-CAM is that of the predicted class at the end of the features, without hooks: the
features, then the gradient of the head alone.
"""

import os
import sys

import numpy as np
import peers


def split(net, name):
    """The features and the head of a network. The features give the activations, and what passes beside them."""
    import torch
    from torch import nn

    class Features(nn.Module):
        def __init__(self, *parts):
            super().__init__()
            self.parts = nn.Sequential(*parts)

        def forward(self, x):
            return (self.parts(x),)

    class Tokens(nn.Module):  # ViT, until the last block's first normalization
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            net = self.net
            x = net._process_input(x)
            x = torch.cat([net.class_token.expand(x.shape[0], -1, -1), x], dim=1) + net.encoder.pos_embedding
            for block in net.encoder.layers[:-1]:
                x = block(x)
            return net.encoder.layers[-1].ln_1(x), x

    class TokensHead(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, act, x):
            block = self.net.encoder.layers[-1]
            y, _ = block.self_attention(act, act, act, need_weights=False)
            x = x + y
            x = x + block.mlp(block.ln_2(x))
            return self.net.heads(self.net.encoder.ln(x)[:, 0])

    if name.startswith("vit"):
        return Tokens(), TokensHead()
    if name.startswith("resnet"):
        parts = list(net.children())
        return Features(*parts[:-2]), nn.Sequential(parts[-2], nn.Flatten(), parts[-1])
    if name.startswith("densenet"):
        return Features(net.features, nn.ReLU()), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), net.classifier)
    pool = getattr(net, "avgpool", nn.AdaptiveAvgPool2d(1))
    flat = [] if name.startswith("convnext") else [nn.Flatten()]
    return Features(net.features), nn.Sequential(pool, *flat, net.classifier)


def fresh(name):
    import torch
    import torchvision

    torch.manual_seed(1)
    return getattr(torchvision.models, name)(weights=None).eval()


def export(folder, names):
    import torch

    for name in names:
        net = fresh(name)
        torch.save(net.state_dict(), os.path.join(folder, name + ".pt"))
        x = torch.zeros(1, 3, 224, 224)
        torch.onnx.export(net, (x,), os.path.join(folder, name + ".onnx"), dynamo=False, dynamic_axes={"x": {0: "n"}}, input_names=["x"])


class PyTorch(peers.PyTorch):
    def trained(self, request):
        import torchvision

        torch, name = self.torch, request["network"]
        with torch.device("meta"):  # no weights are drawn that the file's take the place of
            net = getattr(torchvision.models, name)(weights=None).eval()
        net.load_state_dict(torch.load(os.path.join(self.folder, name + ".pt"), mmap=True), assign=True)
        return net.requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    def gradcam(self, request):
        torch = self.torch
        features, head = split(self.trained(request), request["network"])
        parts = self.batches(request)
        tokens = request["network"].startswith("vit")

        def highest(act, *beside):
            return head(act, *beside).max(1).values.sum()

        gradient = torch.func.grad(highest)
        if self.compiled:
            features, gradient = torch.compile(features), torch.compile(gradient)

        def work():
            for x in parts:
                with torch.no_grad():
                    act, *beside = features(x)
                grad = gradient(act, *beside)
                if tokens:
                    act, grad = act[:, 1:], grad[:, 1:]
                    (act * grad.mean(1, keepdim=True)).sum(2).clamp(min=0).cpu().numpy()
                else:
                    (act * grad.mean((2, 3), keepdim=True)).sum(1).clamp(min=0).cpu().numpy()

        return work


class PyTorchCompiled(PyTorch):
    compiled = True


class PyTorchGradCAM(PyTorch):
    def gradcam(self, request):
        import pytorch_grad_cam as pgc

        name = request["network"]
        net, parts = self.trained(request).requires_grad_(True), self.batches(request)
        if name.startswith("vit"):
            layer, reshape = net.encoder.layers[-1].ln_1, lambda x: x[:, 1:].reshape(len(x), 14, 14, -1).permute(0, 3, 1, 2)
        else:
            layer, reshape = (net.layer4 if name.startswith("resnet") else net.features)[-1], None
        cam = pgc.GradCAM(net, [layer], reshape_transform=reshape)

        def work():
            for x in parts:
                cam(x, targets=None)

        return work

    forward = None


class ONNXRuntime(peers.Peer):
    def forward(self, request):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = peers.THREADS
        session = onnxruntime.InferenceSession(os.path.join(self.folder, request["network"] + ".onnx"), options)
        x = self.test(request).transpose(0, 3, 1, 2)
        parts = [np.ascontiguousarray(x[i : i + request["batch"]]) for i in range(0, len(x), request["batch"])]

        def work():
            for x in parts:
                session.run(None, {"x": x})

        return work


peers.PEERS = {
    "PyTorch": (PyTorch, ["torch", "torchvision"]),
    "PyTorch compiled": (PyTorchCompiled, ["torch"]),
    "pytorch-grad-cam": (PyTorchGradCAM, ["grad-cam"]),
    "onnxruntime": (ONNXRuntime, ["onnxruntime"]),
}

if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(sys.argv[2], sys.argv[3:])
    else:
        peers.main()
