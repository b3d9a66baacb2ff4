#!/usr/bin/env python3
"""Draws the app's icons, one for each environment: `python3 assets/icons.py`. A band marks those that are not production's."""

import struct
import zlib
from pathlib import Path

SIZE = 1024
INK = (255, 255, 255)
# The strokes of the K, in units of the icon's side.
STROKES = [((0.36, 0.27), (0.36, 0.73)), ((0.64, 0.27), (0.36, 0.53)), ((0.45, 0.45), (0.66, 0.73))]
RADIUS = 0.055
ICONS = {
    "icon.png": ((67, 56, 202), None),
    "icon-dev.png": ((15, 118, 110), (4, 60, 56)),
    "icon-test.png": ((180, 83, 9), (97, 38, 4)),
}


def distance(x, y, start, end):
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    along = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)))
    return ((x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2) ** 0.5


def mix(under, over, share):
    return tuple(round(u + (o - u) * share) for u, o in zip(under, over))


def pixel(column, row, ground, band):
    x, y = (column + 0.5) / SIZE, (row + 0.5) / SIZE
    colour = band if band and y > 0.84 else ground
    # One pixel of transition smooths the edges.
    edge = min(distance(x, y, *stroke) for stroke in STROKES) - RADIUS
    return mix(colour, INK, max(0.0, min(1.0, 0.5 - edge * SIZE)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(ground, band):
    rows = b"".join(
        b"\0" + b"".join(bytes(pixel(column, row, ground, band)) for column in range(SIZE)) for row in range(SIZE)
    )
    # Eight bits, RGB: stores refuse icons with transparency.
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


for name, (ground, band) in ICONS.items():
    (Path(__file__).parent / name).write_bytes(png(ground, band))
    print(name)
