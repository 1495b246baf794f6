"""Records what torchvision and Pillow make of pictures, for TestPreparationAsTorchvision.

    pip install torch torchvision pillow==12.0.0   # recorded with torchvision 0.29
    python record.py > pictures.json

Pillow 13 resizes some tall pictures along columns first (its pull request 9549), and 5 of
the 197 cases are then other ones, by up to two levels in some pixels.

Each case is a picture of a size, what is done to it, and the sha256 of the pixels, rows of
RGB in 8 bits, that come out. Small ones have the pixels too, in hex. All are PIL pictures,
as those that torchvision's datasets give, and resized with antialiasing.
"""
import hashlib, json
import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms._presets import ImageClassification


def picture(w, h):
    """The picture of a size: no symmetry, edges and full range."""
    y, x = np.mgrid[:h, :w].astype(np.int64)
    rgb = np.stack([x * 7 + y * 13, x * y, (x * x + 3 * y * y) // 4], -1) % 256
    return Image.fromarray(rgb.astype(np.uint8))


MODES = {"bicubic": InterpolationMode.BICUBIC, "bilinear": InterpolationMode.BILINEAR, "nearest": InterpolationMode.NEAREST}
PIL = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR, "nearest": Image.NEAREST}


def short_side(img, h, w, how, short):
    return Compose([Resize(short, MODES[how]), CenterCrop((h, w))])(img)


def stretch(img, h, w, how, _):
    return Resize((h, w), MODES[how])(img)


def letterbox(img, h, w, how, _):
    return ImageOps.pad(img, (w, h), PIL[how], color="#1e90ff")


def crop(img, h, w, how, _):
    """The largest centered part of the proportions w:h, rounded as images.Centered has it."""
    W, H = img.size
    cw, ch = (max(1, (H * w + h // 2) // h), H) if W * h > H * w else (W, max(1, (W * h + w // 2) // w))
    x, y = (W - cw) // 2, (H - ch) // 2
    return img.crop((x, y, x + cw, y + ch)).resize((w, h), PIL[how])


FITS = {"short-side": short_side, "stretch": stretch, "letterbox": letterbox, "crop": crop}
cases = []


def case(size, fit, h, w, how, short=0):
    img = picture(*size)
    pixels = np.asarray(FITS[fit](img, h, w, how, short))
    assert pixels.shape == (h, w, 3), pixels.shape
    c = dict(picture=size, fit=fit, height=h, width=w, interpolation=how, short_side=short,
             sha256=hashlib.sha256(pixels.tobytes()).hexdigest())
    if pixels.size <= 300:
        c["pixels"] = pixels.tobytes().hex()
    cases.append(c)
    return img, pixels


# The presets of torchvision's classifiers: resize_size and crop_size, bilinear or bicubic.
for size in (500, 375), (375, 500), (300, 300), (1000, 301), (224, 224), (20, 30), (257, 1023):
    for short, side, how in (256, 224, "bilinear"), (342, 299, "bilinear"), (232, 224, "bilinear"), (224, 224, "bicubic"), (384, 384, "bicubic"):
        case(size, "short-side", side, side, how, short)
# The first of them is torchvision's own preset, up to its normalization.
img = picture(500, 375)
own = ImageClassification(crop_size=224, mean=(0, 0, 0), std=(1, 1, 1))(img).numpy().transpose(1, 2, 0)
assert hashlib.sha256(np.round(own * 255).astype(np.uint8).tobytes()).hexdigest() == cases[0]["sha256"]

for how in PIL:
    for size in (23, 17), (17, 23), (5, 4), (64, 48), (40, 3), (1, 1):
        for fit in "crop", "stretch", "letterbox":
            case(size, fit, 9, 11, how)
            case(size, fit, 32, 20, how)
        case(size, "short-side", 9, 11, how, 12)
        case(size, "short-side", 30, 11, how, 12)  # padded above and below
        case(size, "short-side", 15, 17, how, 8)
print(json.dumps(cases, separators=(",", ":")).replace("},{", "},\n{"))
