"""Prints the tensors of a viz checkpoint, or the values of one, with nothing but the standard library.

    python3 read_checkpoint.py ckpt.bin [NAME]
"""
import array, json, struct, sys

with open(sys.argv[1], "rb") as f:
    (n,) = struct.unpack("<Q", f.read(8))
    header = json.loads(f.read(n))
    network = json.loads(header.pop("__metadata__")["viz.network"])
    if len(sys.argv) == 2:
        print(network["name"], [node["kind"] for node in network["nodes"]])
        print("\n".join(f"{name} {t['shape']}" for name, t in header.items()))
    else:
        begin, end = header[sys.argv[2]]["data_offsets"]
        f.seek(8 + n + begin)
        values = array.array("f", f.read(end - begin))
        if sys.byteorder == "big":
            values.byteswap()
        print(*values)
