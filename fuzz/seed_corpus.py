#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets from tests/vectors/vectors.json."""

import json
import pathlib

FUZZ = pathlib.Path(__file__).resolve().parent
ETHERNET = 14
IPV4, IPV6 = 20, 40
PROTOCOL_AH = 51

vectors = json.loads((FUZZ.parent / "tests/vectors/vectors.json").read_text())
for target in ("advert", "packet"):
    (FUZZ / "corpus" / target).mkdir(parents=True, exist_ok=True)

for vector in vectors:
    datagram = bytes.fromhex(vector["frame_hex"])[ETHERNET:]
    ipv6 = vector["family"] == "ipv6"
    flags = (1 if ipv6 else 0) | (2 if vector["ip_proto"] == PROTOCOL_AH else 0)
    payload = datagram[IPV6 if ipv6 else IPV4 :]
    (FUZZ / "corpus/advert" / vector["name"]).write_bytes(bytes([flags]) + payload)
    if not ipv6:
        (FUZZ / "corpus/packet" / vector["name"]).write_bytes(datagram)

print(f"{len(vectors)} vectors written to {FUZZ / 'corpus'}")
