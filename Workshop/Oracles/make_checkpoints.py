"""Tiny random checkpoints of each architecture in Hugging Face layout, with goldens.

    python make_checkpoints.py ../../Goldens/models [name …]
"""

import pathlib
import shutil
import sys

from checkpoint_list import CHECKPOINTS
from lively import build, end_with, load, record, report, save

NOTE = "logits and greedy tokens by transformers in float32 with eager attention and no cache, from the stored weights"


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = set(sys.argv[2:])
    for number, (name, entry) in enumerate(CHECKPOINTS.items()):
        if name not in wanted if wanted else entry.get("unkept"):
            continue
        folder = root / name
        if folder.exists():
            shutil.rmtree(folder)
        seed = 1000 + number
        build(folder, entry, seed)
        model = load(folder)
        golden, rows = record(model, model.config.vocab_size, seed, entry.get("lengths", (1, 7, 40, 150)), NOTE)
        end_with(folder, golden["end_token"])
        save(golden, rows, folder / "golden.json", folder / "logits.bin")
        report(name, golden, sum(file.stat().st_size for file in folder.iterdir()))


if __name__ == "__main__":
    main()
