#!/usr/bin/env python3
"""Verifies exports of Holdfast's audit without Holdfast: verify_audit.py FOLDER..., each as `holdfast audit export` wrote it.

Prints one verdict a folder. Exit code 0 if every one holds, else 7. Needs the package `cryptography`."""
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

UNSEALED_MAX = 512  # more entries after the last sealed one than a checkpoint may leave waiting
TEXTS = {"action", "actor", "assurance", "details_commit", "node", "object", "outcome", "prev", "req_id"}
NUMBERS = {"epoch", "seq", "ts"}


def canonical(value):  # RFC 8785, for objects of strings and whole numbers
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def digest(tag, *parts):
    return hashlib.sha256(b"".join((tag.encode(), *parts))).hexdigest()


def read(line):  # an entry must be there byte for byte as it was hashed
    whole = json.loads(line)
    entry = whole["entry"]
    if set(whole) != {"details", "entry", "hash", "salt"} or set(entry) != TEXTS | NUMBERS:
        raise ValueError("fields")
    if any(type(entry[name]) is not str for name in TEXTS) or any(type(entry[name]) is not int for name in NUMBERS):
        raise ValueError("types")
    return whole, entry, canonical(whole) == line


def details_hold(details, salt, commit):
    if details is None or salt is None:
        return details is None and salt is None  # none, or erased
    try:
        return digest("holdfast-audit-details-v1", bytes.fromhex(salt), details.encode()) == commit
    except ValueError:
        return False


def is_signed(checkpoint, key):
    signed = {name: checkpoint[name] for name in ("cluster", "epoch", "head", "seq")}
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(checkpoint["signature"]), b"holdfast-audit-checkpoint-v1" + canonical(signed))
    except (InvalidSignature, ValueError):
        return False
    return True


def follow(lines, flaws):
    chain, expected, epoch, head = {}, 1, None, "0" * 64
    for line in lines:
        try:
            whole, entry, right = read(line)
        except (ValueError, KeyError, TypeError):
            flaws.append((expected, "it cannot be read"))
            expected, head = expected + 1, None
            continue
        seq, found = entry["seq"], digest("holdfast-audit-v1", canonical(entry))
        if not right or found != whole["hash"]:
            flaws.append((seq, "it was altered"))
        if seq < expected:
            flaws.append((seq, "it comes twice, or out of order"))
            continue
        if seq > expected:
            flaws.append((expected, f"missing: {expected} to {seq - 1}"))
        elif head not in (None, entry["prev"]):
            flaws.append((seq, "it does not follow the entry before"))
        began = entry["action"] == "cluster.recover" and entry["outcome"] == "applied"
        if epoch is not None and entry["epoch"] != epoch and not (began and entry["epoch"] > epoch):
            flaws.append((seq, "the epoch jumps without a recovery"))
        if not details_hold(whole["details"], whole["salt"], entry["details_commit"]):
            flaws.append((seq, "its details were altered"))
        chain[seq] = (entry["epoch"], found)
        expected, epoch, head = seq + 1, entry["epoch"], found
    return chain


def verify(folder):
    flaws, newest = [], {}
    chain = follow((folder / "audit.jsonl").read_bytes().split(b"\n")[:-1], flaws)
    keys = json.loads((folder / "nodes.json").read_text())
    known = {node["node"]: node for node in keys["nodes"]}
    last = max(chain, default=0)
    for line in (folder / "checkpoints.jsonl").read_text().splitlines():
        checkpoint = json.loads(line)
        node, seq = checkpoint["node"], checkpoint["seq"]
        if checkpoint["cluster"] != keys["cluster"] or not is_signed(checkpoint, known.get(node, {}).get("key", "")):
            flaws.append((seq, f"the checkpoint is not signed by the key of {node}"))
        elif seq not in chain:
            flaws.append((min(seq, last + 1), f"missing: {node} signed up to entry {seq}"))
        elif chain[seq] != (checkpoint["epoch"], checkpoint["head"]):
            flaws.append((seq, f"{node} signed another history (fork)"))
        else:
            newest[node] = max(seq, newest.get(node, 0))
    members = [name for name, node in known.items() if node["member"]]
    signed = sorted((newest.get(name, 0) for name in members), reverse=True)
    sealed = signed[len(members) // 2] if signed else 0
    if last - sealed > UNSEALED_MAX:
        flaws.append((sealed + 1, f"unsigned tail: no majority signed {sealed + 1} to {last}"))
    return len(chain), sealed, sorted(set(flaws))


def main():
    bad = 0
    for folder in sys.argv[1:]:
        entries, sealed, flaws = verify(Path(folder))
        print(f"{folder}: {entries} entries, sealed up to {sealed}, {'does not hold' if flaws else 'holds'}")
        for seq, what in flaws:
            print(f"  entry {seq}: {what}")
        bad += bool(flaws)
    return 7 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
