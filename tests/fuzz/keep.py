#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chooses the few inputs that tests/fuzz/corpus keeps: keep.py BUILD TARGET...

Takes, of all that the fuzzer found and of what is kept already, again and again the input that shows
most that none before it showed, for its size, until the target's share is used up.
"""
import os
import shutil
import subprocess
import sys
import tempfile

MAX_FILES = 90
MAX_BYTES = 32000
MAX_FILE_BYTES = 4000


def read_features(control):
    """libFuzzer's own notes of a merge: the files, and the features that each shows."""
    lines = open(control, errors="replace").read().split("\n")
    n_files = int(lines[0])
    files = lines[2:2 + n_files]
    features = {}
    for line in lines[2 + n_files:]:
        words = line.split()
        if words and words[0] == "FT":
            features[files[int(words[1])]] = set(words[2:])
    return features


def choose(features):
    seen, chosen, n_bytes = set(), [], 0
    sizes = {path: os.path.getsize(path) for path in features}
    left = {path for path in features if sizes[path] <= MAX_FILE_BYTES}
    while left and len(chosen) < MAX_FILES:
        best = max(sorted(left), key=lambda path: len(features[path] - seen) / (sizes[path] + 2000))
        if not features[best] - seen:
            break
        left.discard(best)
        if n_bytes + sizes[best] > MAX_BYTES:
            continue
        seen |= features[best]
        n_bytes += sizes[best]
        chosen.append(best)
    return chosen


def keep(build, target):
    program = f"{build}/tests/fuzz/fuzz_{target}"
    corpus = f"tests/fuzz/corpus/{target}"
    os.makedirs(corpus, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        control, all_files = f"{work}/control", f"{work}/all"
        os.mkdir(all_files)
        for source in (f"{build}/corpus/{target}", corpus, f"tests/fuzz/regressions/{target}"):
            for name in os.listdir(source) if os.path.isdir(source) else []:
                shutil.copy(f"{source}/{name}", f"{all_files}/{name}")
        os.mkdir(f"{work}/out")
        subprocess.run([program, "-merge=1", f"-merge_control_file={control}", f"{work}/out",
                        all_files], check=True, capture_output=True)
        chosen = choose(read_features(control))
        shutil.rmtree(corpus)
        os.makedirs(corpus)
        for path in chosen:
            shutil.copy(path, f"{corpus}/{os.path.basename(path)[:12]}")
        n_bytes = sum(os.path.getsize(f"{corpus}/{name}") for name in os.listdir(corpus))
        print(f"{target}: {len(chosen)} inputs kept, {n_bytes} bytes")


for name in sys.argv[2:]:
    keep(sys.argv[1], name)
