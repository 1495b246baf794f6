"""Makes small pictures in all formats, and what Pillow reads of them, for TestFormats.

    pip install pillow numpy   # recorded with Pillow 13.0
    python record.py           # writes the pictures and pictures.json beside itself

pictures.json has, for each file, the pixels that Pillow reads, over white, as rows of RGB in
hex, or null for a file that camlab refuses.
"""
import io, json, os, struct
import numpy as np
from PIL import Image

here = os.path.dirname(os.path.abspath(__file__))
W, H = 12, 8
y, x = np.mgrid[:H, :W]
rgb = Image.fromarray(np.stack([20 * x, 30 * y, 255 - 10 * x - 10 * y], -1).astype(np.uint8))
gray = rgb.convert("L")
alpha = Image.fromarray(np.where(x < 3, 0, np.where(x < 6, 128, 255)).astype(np.uint8))
rgba, la = rgb.copy(), gray.copy()
rgba.putalpha(alpha)
la.putalpha(alpha)
gray16 = Image.fromarray((5000 * x + 257 * y).astype(np.uint16))
bits = gray.point(lambda v: 255 * (v > 100)).convert("1")
palette = rgb.quantize(16)
cmyk = Image.fromarray(np.stack([20 * x, 30 * y, 255 - 20 * x, 10 * y], -1).astype(np.uint8), "CMYK")
ink = Image.fromarray(np.stack([255 - 20 * x, 30 * y, 20 * x, 10 * y + x], -1).astype(np.uint8), "CMYK")
pictures = {}


def over_white(img):
    if img.mode.startswith("I;16"):
        v = (np.asarray(img) >> 8).astype(np.uint8)
        return np.stack([v, v, v], -1)
    img = img.convert("RGBA")
    a = np.asarray(img).astype(int)
    mixed = (a[..., :3] * a[..., 3:] + 255 * (255 - a[..., 3:]) + 127) // 255
    return mixed.astype(np.uint8)


def keep(name, data, refused=False):
    with open(os.path.join(here, name), "wb") as f:
        f.write(data)
    pictures[name] = None if refused else over_white(Image.open(io.BytesIO(data))).tobytes().hex()


def save(name, img, refused=False, **options):
    b = io.BytesIO()
    img.save(b, {"jpg": "JPEG", "tif": "TIFF"}.get(name.rsplit(".")[-1], name.rsplit(".")[-1].upper()), **options)
    keep(name, b.getvalue(), refused)
    return b.getvalue()


save("rgb.png", rgb)
save("rgba.png", rgba)
save("gray.png", gray)
save("gray-alpha.png", la)
save("gray16.png", gray16)
save("bits.png", bits)
save("palette.png", palette)
save("palette-transparent.png", palette, transparency=palette.getpixel((0, 0)))
save("gray.jpg", gray, quality=95)
save("444.jpg", rgb, quality=95, subsampling=0)
save("420.jpg", rgb, quality=95, subsampling=2)
save("progressive.jpg", rgb, quality=95, subsampling=0, progressive=True)
adobe = save("cmyk.jpg", cmyk, quality=95)  # inverted, with Adobe's marker
at = adobe.index(b"\xff\xee")
size = struct.unpack(">H", adobe[at + 2 : at + 4])[0]
keep("cmyk-unmarked.jpg", adobe[:at] + adobe[at + 2 + size :], refused=True)
# Adobe's other form, YCCK: the marker's transform is 2. Pillow writes none; the same
# numbers, read as luma, chroma and black.
marked = bytearray(save("ink.jpg", ink, quality=95))
marked[marked.index(b"Adobe") + 11] = 2
keep("ycck.jpg", bytes(marked))
save("rgb.gif", palette)
save("transparent.gif", palette, transparency=palette.getpixel((0, 0)))
save("animated.gif", palette, save_all=True, append_images=[bits], duration=100)
save("lossless.webp", rgba, lossless=True, exact=True)
save("lossy.webp", rgb, quality=95)
save("lossy-alpha.webp", rgba, quality=95)
save("animated.webp", rgb, save_all=True, append_images=[rgb.rotate(180)], duration=100, refused=True)
save("rgb.bmp", rgb)
save("rgba.bmp", rgba)
save("gray.bmp", gray)
save("bits.bmp", bits)
save("palette.bmp", palette)
for kind in "raw", "tiff_lzw", "tiff_adobe_deflate", "packbits":
    save(kind + ".tif", rgb, compression=kind)
save("rgba.tif", rgba)
save("gray.tif", gray)
save("gray16.tif", gray16)
save("palette.tif", palette)
save("bits.tif", bits)
save("group3.tif", bits, compression="group3", tiffinfo={262: 0})
save("group4.tif", bits, compression="group4", tiffinfo={262: 0})
save("group4-black.tif", bits, compression="group4", tiffinfo={262: 1}, refused=True)
save("predictor.tif", rgb, compression="tiff_lzw", tiffinfo={317: 2})
save("cmyk.tif", cmyk, refused=True)
save("jpeg.tif", rgb, compression="jpeg", refused=True)
save("float.tif", Image.fromarray((x / 12).astype(np.float32)), refused=True)
with open(os.path.join(here, "pictures.json"), "w") as f:
    f.write(json.dumps(pictures, separators=(",", ":")).replace('",', '",\n').replace("null,", "null,\n") + "\n")
