"""Time and peak memory of `apus quantize` beside the same method in torch on the same model and tokens, in turns.

    swift build -c release
    .build/release/apus bench --shape llama-135m --format f16 --keep /tmp --prompt 0 --generate 0
    python3 Benchmarks/compression/quantize_ratio.py --model /tmp/random-llama-135m-f16.gguf --text FILE --python VENV/bin/python --rows 16

Prints the medians' ratios; a run is a process of its own, whose peak resident memory the kernel tells.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=HERE.parents[1] / ".build/release/apus")
    parser.add_argument("--python", default=sys.executable, help="with torch, gguf and numpy")
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--methods", default="gptq,awq")
    parser.add_argument("--flags", default="--sweeps 0 --order natural", help="of apus quantize with gptq, so that both do the same work")
    parser.add_argument("--work", default="/tmp/quantize-ratio")
    o = parser.parse_args()
    work = pathlib.Path(o.work)
    work.mkdir(parents=True, exist_ok=True)
    # Any tokens will do on random weights: bytes of the text, so that both get the same number.
    tokens = work / "tokens.npy"
    script = ("import numpy as np,sys; b=np.frombuffer(open(sys.argv[1],'rb').read()[:int(sys.argv[3])],np.uint8);"
              "np.save(sys.argv[2],b.astype(np.int64))")
    subprocess.run([o.python, "-c", script, o.text, tokens, str(o.rows * o.length)], check=True)
    for method in o.methods.split(","):
        seconds, memory = {"apus": [], "torch": []}, {"apus": [], "torch": []}
        for _ in range(o.rounds):
            out = work / "out.gguf"
            began = time.monotonic()
            command = [o.apus, "quantize", o.model, "-o", out, "--force", "--format", "Q4_1", "--embedding-format", "none",
                       "--method", method, "--calibration", o.text, "--samples", o.rows, "--length", o.length, "--json"]
            child = subprocess.Popen([str(part) for part in command + (o.flags.split() if method == "gptq" else [])], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            assert status == 0, "apus quantize failed"
            seconds["apus"].append(time.monotonic() - began)
            memory["apus"].append(usage.ru_maxrss * 1024)
            done = subprocess.run([o.python, HERE / "reference.py", method, o.model, tokens, str(o.rows), str(o.length)],
                                  capture_output=True, text=True, check=True)
            figures = json.loads(done.stdout)
            seconds["torch"].append(figures["seconds"])
            memory["torch"].append(figures["peak_bytes"])
        middle = {who: (statistics.median(seconds[who]), statistics.median(memory[who])) for who in seconds}
        print(f"{method}: apus {middle['apus'][0]:.1f} s, {middle['apus'][1] / 1e6:.0f} MB; torch {middle['torch'][0]:.1f} s, "
              f"{middle['torch'][1] / 1e6:.0f} MB; time {middle['apus'][0] / middle['torch'][0]:.2f}, "
              f"memory {middle['apus'][1] / middle['torch'][1]:.2f}")


if __name__ == "__main__":
    main()
