"""Writes preprocess.json: pictures resized by PIL 9.4, PyTorch 1.13 and numpy, and whole chains of libraries, for
preprocess_reference_test.go. The pictures are made by formula on both sides. Run in this folder with python3-pil,
python3-torch and python3-numpy."""
import base64, json, math
import numpy as np, torch
from PIL import Image, ImageOps

PIL = dict(nearest=Image.NEAREST, bilinear=Image.BILINEAR, bicubic=Image.BICUBIC, lanczos=Image.LANCZOS, box=Image.BOX, hamming=Image.HAMMING)


def picture(w, h):
    "left half smooth, right half noise"
    x, y, c = np.meshgrid(np.arange(w), np.arange(h), np.arange(3), indexing='ij')
    noise = ((x * 73856093) ^ (y * 19349663) ^ (c * 83492791)) * 2654435761 % 2**32 >> 24
    smooth = (x * 5 + y * 3 * (c + 1)) % 256
    return np.where(2 * x < w, smooth, noise).astype(np.uint8).transpose(1, 0, 2)


def area(n, m):
    "weights of m means over n pixels"
    out = np.zeros((m, n))
    for i in range(m):
        a, b = i * n / m, (i + 1) * n / m
        for j in range(n):
            out[i, j] = max(0, min(b, j + 1) - max(a, j)) / (b - a)
    return out


def resize(a, w, h, f):
    if f in PIL:
        return np.asarray(Image.fromarray(a).resize((w, h), PIL[f]))
    if f == 'area':
        v = np.einsum('iy,yxc,jx->ijc', area(a.shape[0], h), a.astype(float), area(a.shape[1], w))
    else:
        t = torch.from_numpy(a.transpose(2, 0, 1).copy())[None].float()
        v = torch.nn.functional.interpolate(t, (h, w), mode=f.split('-')[0], align_corners=False)[0].numpy().transpose(1, 2, 0)
    return np.clip(np.floor(v + .5), 0, 255).astype(np.uint8)


def torchvision_resize(a, size, f):
    h, w = a.shape[:2]
    nw, nh = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
    return resize(a, nw, nh, f)


def cut(a, n, rule):
    h, w = a.shape[:2]
    y, x = rule(h, n), rule(w, n)
    return a[y:y + n, x:x + n]


rounded = lambda s, n: int(round((s - n) / 2.0))  # torchvision's CenterCrop
floor = lambda s, n: (s - n) // 2  # Hugging Face
halves = lambda s, n: s // 2 - n // 2  # Custom Vision's sample


def custom_vision(a, n):
    h, w = a.shape[:2]
    if not (h < 1600 and w < 1600):
        nw, nh = (1600 * w // h, 1600) if h > w else (1600, 1600 * h // w)
        a = resize(a, nw, nh, 'bilinear-noantialias')
    a = cut(a, min(a.shape[:2]), halves)
    return cut(resize(a, 256, 256, 'bilinear-noantialias'), n, halves)


def timm(a, n, pct, mode, f, mean):
    s = math.floor(n / pct)
    if mode == 'squash':
        return cut(resize(a, s, s, f), n, rounded)
    if mode == 'center':
        return cut(torchvision_resize(a, s, f), n, rounded)
    h, w = a.shape[:2]
    ratio = max(h / s, w / s)
    a = resize(a, int(round(w / ratio)), int(round(h / ratio)), f)
    h, w = a.shape[:2]
    out = np.empty((max(h, n), max(w, n), 3), np.uint8)
    out[:] = [round(255 * m) for m in mean]
    y, x = max((n - h) // 2, 0), max((n - w) // 2, 0)
    out[y:y + h, x:x + w] = a
    return cut(out, n, rounded)


cases = []


def case(spec, sw, sh, w, h, a):
    assert a.shape == (h, w, 3), (spec, a.shape)
    cases.append(dict(spec=spec, source=[sw, sh], size=[w, h], want=base64.b64encode(a.tobytes()).decode()))


for f in [*PIL, 'bilinear-noantialias', 'bicubic-noantialias', 'area']:
    for sw, sh, w, h in [(37, 23, 16, 11), (9, 7, 20, 16), (64, 48, 8, 8), (50, 3, 7, 9), (1, 1, 3, 2), (13, 40, 13, 10)]:
        case(f'unit,fit=stretch,filter={f}', sw, sh, w, h, resize(picture(sw, sh), w, h, f))
for sw, sh in [(37, 23), (23, 41), (14, 14), (60, 17), (15, 16)]:
    a = picture(sw, sh)
    case('torchvision', sw, sh, 14, 14, cut(torchvision_resize(a, 16, 'bilinear'), 14, rounded))
    case('torchvision,size=19', sw, sh, 14, 14, cut(torchvision_resize(a, 19, 'bilinear'), 14, rounded))
    case('clip', sw, sh, 14, 14, cut(torchvision_resize(a, 14, 'bicubic'), 14, rounded))
    case('keras-tf', sw, sh, 14, 14, resize(a, 14, 14, 'bilinear-noantialias'))
    case('teachable-machine', sw, sh, 14, 14, np.asarray(ImageOps.fit(Image.fromarray(a), (14, 14), Image.LANCZOS)))
    case('custom-vision-onnx', sw, sh, 14, 14, np.asarray(Image.fromarray(a).resize((14, 14))))
    for mode in ['center', 'squash', 'border']:
        case(f'timm:testdata/timm-{mode}.json', sw, sh, 14, 14, timm(a, 14, 0.9, mode, 'bicubic', [.5, .4, .3]))
    case('testdata/hf-clip.json', sw, sh, 14, 14, cut(torchvision_resize(a, 17, 'bicubic'), 14, floor))
    case('unit,size=19x21,crop=14,filter=bilinear,always', sw, sh, 14, 14, cut(resize(a, 21, 19, 'bilinear'), 14, rounded))
for sw, sh in [(37, 24), (301, 200), (12, 1700)]:
    case('custom-vision,crop=13', sw, sh, 13, 13, custom_vision(picture(sw, sh), 13))
grey = [[r, g, b, Image.new('RGB', (1, 1), (r, g, b)).convert('L').getpixel((0, 0))] for r in range(0, 256, 51) for g in range(0, 256, 37) for b in range(0, 256, 51)]
with open('preprocess.json', 'w') as f:
    f.write('{"cases":[\n' + ',\n'.join(json.dumps(c) for c in cases) + '],\n"grey":' + json.dumps(grey) + '}\n')
