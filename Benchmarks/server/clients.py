"""The Python clients of the OpenAI and Anthropic APIs against a server of ours: every endpoint, streams, batches, errors.

    swift build -c release
    python3 Benchmarks/server/clients.py --apus .build/release/apus --environment /tmp/apus-clients

Installs `openai`, `anthropic`, `litellm` and `lm_eval` into the folder given, at the first run. A line a check, then
`N passed, N failed`. --only names groups: openai, service, files, anthropic, litellm, harness.
"""

import argparse, os, shutil, tempfile
from harness import DEFAULT, REPOSITORY, Server, Tally, inside

PACKAGES = ["openai", "anthropic", "litellm", "lm_eval[api]", "transformers"]
GROUPS = ["openai", "service", "files", "anthropic", "litellm", "harness"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--environment", required=True, help="a folder for Python packages")
    parser.add_argument("--only", default=",".join(GROUPS))
    arguments = parser.parse_args()
    inside(arguments.environment, "clients", PACKAGES)
    groups = arguments.only.split(",")
    unknown = [each for each in groups if each not in GROUPS]
    if unknown:
        parser.error(f"--only: there is no group '{unknown[0]}'; there are {', '.join(GROUPS)}")
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_TELEMETRY="False",
        DO_NOT_TRACK="1",
    )
    folder = tempfile.mkdtemp(prefix="apus-clients-")
    tally = Tally()
    server = Server(arguments.apus, folder, [f"chat={REPOSITORY}/Models/chat", "stories=builtin:stories"]).start()
    try:
        for group in groups:
            # Each imports its own packages, which are there only now.
            __import__(f"clients_{group}").run(tally, server, arguments.apus, folder)
        tally.check("the server ends when asked", server.stop() == 0, server.tail())
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    tally.end()


if __name__ == "__main__":
    main()
