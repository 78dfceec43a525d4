"""Tiny random checkpoints of each architecture in Hugging Face layout, with goldens.

    python make_checkpoints.py ../../Goldens/models [name …]
"""

import pathlib
import shutil
import sys

from checkpoint_list import CHECKPOINTS
from lively import build, record


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = set(sys.argv[2:])
    for number, (name, entry) in enumerate(CHECKPOINTS.items()):
        if wanted and name not in wanted:
            continue
        folder = root / name
        if folder.exists():
            shutil.rmtree(folder)
        seed = entry.get("seed", 1000 + number)
        build(folder, entry["config"], seed, entry.get("dtype", "F32"), entry.get("modern", False), entry.get("bare"))
        golden = record(folder, seed, entry.get("lengths", (1, 7, 40, 150)))
        size = sum(f.stat().st_size for f in folder.iterdir())
        margin = min(c["greedy_margin"] for c in golden["cases"])
        spread = golden["cases"][-1]["logit_std"]
        distinct = [len(set(c["greedy"])) for c in golden["cases"]]
        print(f"{name:28} {size:7} bytes  margin {margin:.4f}  logit std {spread:.2f}  distinct {distinct}"
              f"  float64 {golden['float64_deviation']:.1e}", flush=True)


main()
