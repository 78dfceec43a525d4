"""The page in a real Chromium: a conversation with branches, text, a batch, the engine at work, keys, dark and on a phone.

    apt-get install chromium
    python3 Benchmarks/server/page_check.py --apus .build/release/apus --environment /tmp/apus-browser --screenshots /tmp/shots

Fails on any error in the browser's console. The screenshots are there to be looked at.
"""

import argparse, os, shutil, tempfile
from harness import DEFAULT, REPOSITORY, Server, inside
from page_views import Checks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apus", default=DEFAULT)
    parser.add_argument("--environment", required=True, help="a folder for Python packages")
    parser.add_argument("--screenshots", required=True, help="a folder for screenshots")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "/usr/bin/chromium")
    arguments = parser.parse_args()
    inside(arguments.environment, "browser", ["playwright"])
    from playwright.sync_api import sync_playwright

    os.makedirs(arguments.screenshots, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="apus-page-")
    with open(f"{folder}/keys", "w") as file:
        file.write("right-key\n")
    chat = f"chat={REPOSITORY}/Models/chat"
    server = Server(arguments.apus, folder, [chat, "stories=builtin:stories"]).start()
    locked = Server(arguments.apus, folder, [chat], "--api-key-file", f"{folder}/keys", name="locked").start()
    checks = None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
            checks = Checks(browser, server, locked, arguments.screenshots, folder)
            for view in (
                checks.conversation,
                checks.text,
                checks.safety,
                checks.keyboard,
                checks.batches,
                checks.engine,
                checks.appearances,
                checks.keys,
                checks.offline,
            ):
                try:
                    view()
                except Exception as error:  # A view that cannot even be set up is a failed check, and the others go on.
                    checks.tally.check(f"{view.__name__}: set up", False, str(error)[:400])
            browser.close()
        checks.tally.check(
            "no errors in the console, no request elsewhere", not checks.complaints, checks.complaints[:5]
        )
        print(f"{checks.shots} screenshots in {arguments.screenshots}")
    finally:
        for each in (server, locked, getattr(checks, "locked_server", None)):
            if each:
                each.kill()
        shutil.rmtree(folder, ignore_errors=True)
    checks.tally.end()


if __name__ == "__main__":
    main()
