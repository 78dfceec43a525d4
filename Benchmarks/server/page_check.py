"""The page in a real Chromium: a conversation with branches, text, a batch, the engine at work, keys, dark and on a phone.

    apt-get install chromium
    python3 Benchmarks/server/page_check.py --apus .build/release/apus --environment /tmp/apus-browser --screenshots /tmp/shots

Fails on any error in the browser's console. The screenshots are there to be looked at.
"""
import argparse, json, os, shutil, tempfile, threading
from harness import DEFAULT, REPOSITORY, Server, Tally, inside

# Nothing of it may become an element, an attribute or a script.
HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> [link](javascript:alert(3)) **bold** ![i](https://example.org/i.png)"


class Checks:
    def __init__(self, browser, server, locked, screenshots, folder):
        self.browser, self.server, self.locked, self.screenshots, self.folder = browser, server, locked, screenshots, folder
        self.tally = Tally()
        self.complaints = []
        self.shots = 0

    def open(self, url=None, **options):
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "accept_downloads": True, **options})
        page = context.new_page()
        page.set_default_timeout(20_000)
        # A request that is answered 400 or 401 is logged as an error too; those are asked for here.
        page.on("console", lambda message: message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text
                and self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith((self.server.url, self.locked.url, "blob:", "data:"))
                or self.complaints.append(f"a request to {request.url}"))
        page.goto(url or self.server.url)
        page.get_by_label("Model", exact=True).locator("option", has_text="chat").first.wait_for(state="attached")
        return page

    def shot(self, page, name):
        self.shots += 1
        page.screenshot(path=f"{self.screenshots}/{self.shots:02}-{name}.png")

    def check(self, name, work):
        self.tally.attempt(name, work)

    # Helpers

    @staticmethod
    def model(page, name):
        page.get_by_label("Model", exact=True).select_option(name)

    @staticmethod
    def idle(page):
        page.get_by_role("button", name="Stop", exact=True).wait_for(state="hidden")

    def say(self, page, text):
        page.get_by_label("Message", exact=True).fill(text)
        page.keyboard.press("Enter")
        page.locator(".message.assistant").last.wait_for()
        self.idle(page)

    @staticmethod
    def texts(page):
        return page.locator(".message-body").all_inner_texts()

    @staticmethod
    def parameters(page, **values):
        page.get_by_role("button", name="Parameters", exact=True).click()
        for name, value in values.items():
            page.locator(f".parameters input[name={name}]").fill(str(value))
        page.get_by_role("button", name="Parameters", exact=True).click()

    # Views

    def conversation(self):
        page = self.page = self.open()
        self.model(page, "chat")
        self.parameters(page, temperature=0, seed=5, max_tokens=60)
        self.say(page, "hello")

        def answered():
            texts = self.texts(page)
            return len(texts) == 2 and texts[0] == "hello" and texts[1] and "seed 5" in page.locator(".message-foot").last.inner_text(), texts
        self.check("a conversation: an answer with its figures", answered)
        first = self.texts(page)
        self.say(page, "my name is Tom")
        self.say(page, "what is my name?")
        self.check("a conversation of three turns", lambda: len(self.texts(page)) == 6)
        self.shot(page, "conversation")
        whole = self.texts(page)

        def edit():
            page.locator(".message.user").nth(1).hover()
            page.locator(".message.user").nth(1).get_by_role("button", name="Edit").click()
            page.locator(".editor").fill("my name is Sue")
            page.keyboard.press("Control+Enter")
            page.wait_for_function("document.querySelectorAll('.message').length == 4")
            self.idle(page)
            texts = self.texts(page)
            return texts[:2] == first and texts[2] == "my name is Sue" and "2 / 2" in page.locator(".siblings").first.inner_text(), texts
        self.check("editing a message branches the conversation there", edit)
        self.shot(page, "branched")

        def back():
            page.get_by_role("button", name="Version before").first.click()
            found = self.texts(page)
            page.get_by_role("button", name="Next version").first.click()
            return found == whole and len(self.texts(page)) == 4, found
        self.check("the old branch is there whole", back)

        def again():
            page.locator(".message.assistant").last.get_by_role("button", name="Again").click()
            self.idle(page)
            return (page.locator(".message.assistant .siblings").last.inner_text().replace("\n", "").find("2 / 2") >= 0
                    and len(self.texts(page)) == 4), self.texts(page)
        self.check("another answer is kept beside the first, and the same with the same seed", lambda: (again()[0] and self.same_as_sibling(page), self.texts(page)))

        def reload():
            before = self.texts(page)
            page.reload()
            page.locator(".message").first.wait_for()
            return self.texts(page) == before, self.texts(page)
        self.check("a reload loses nothing", reload)

        def tokens():
            page.get_by_role("button", name="Tokens").click()
            page.locator(".token-view .token").first.focus()
            page.keyboard.press("ArrowRight")
            label = page.evaluate("document.activeElement.getAttribute('aria-label')")
            self.shot(page, "tokens")
            shown = page.locator(".card:visible .row-token").count()
            page.get_by_role("button", name="Tokens").click()
            return shown >= 5 and "%" in label, (shown, label)
        self.check("token probabilities, by arrow keys", tokens)

        def stop():
            page.keyboard.press("Escape")
            page.get_by_role("button", name="New conversation").or_(page.locator("body")).first.press("n")
            self.parameters(page, max_tokens=900, temperature=1, seed="")
            page.locator(".parameters").evaluate("element => element")
            page.get_by_label("Message", exact=True).fill("tell me a very long story")
            page.keyboard.press("Enter")
            page.locator(".message.assistant").wait_for()
            page.keyboard.press("Escape")
            self.idle(page)
            return page.locator(".message.assistant").count() == 1, self.texts(page)
        self.check("Escape stops an answer", stop)

    @staticmethod
    def same_as_sibling(page):
        second = page.locator(".message.assistant .message-body").last.inner_text()
        page.locator(".message.assistant").last.get_by_role("button", name="Version before").click()
        return page.locator(".message.assistant .message-body").last.inner_text() == second

    def text(self):
        page = self.page
        page.keyboard.press("Escape")
        page.locator("body").press("n")
        self.model(page, "stories")
        self.parameters(page, max_tokens=24, temperature=0.8, seed=3)
        # A model that is loaded says that it has no template; one that is not is asked first.
        if page.get_by_role("button", name="Continue", exact=True).count() == 0:
            def refused():
                self.say(page, "Once upon a time")
                page.get_by_role("button", name="Continue it as plain text").click()
                page.locator(".message.assistant .written").wait_for()
                self.idle(page)
                return True
            self.check("a model without a template offers plain text", refused)
        else:
            self.say(page, "Once upon a time")

        def more():
            before = "".join(self.texts(page))
            page.get_by_role("button", name="Continue", exact=True).click()
            page.locator(".message.assistant").nth(1).wait_for()
            self.idle(page)
            return before.startswith("Once upon a time") and len("".join(self.texts(page))) > len(before), self.texts(page)
        self.check("plain text goes on, and on", more)

        def alternative():
            page.get_by_role("button", name="Tokens").click()
            page.locator(".message.assistant").first.locator(".token").nth(4).click()
            page.locator(".card.pinned .alternative").first.click()
            self.idle(page)
            self.shot(page, "text-alternative")
            page.get_by_role("button", name="Tokens").click()
            return page.locator(".siblings").first.inner_text().replace("\n", "").find("2 / 2") >= 0, self.texts(page)
        self.check("a text goes on from another token", alternative)

    def safety(self):
        page = self.page
        path = f"{self.folder}/hostile.json"
        nodes = [{"id": "a", "parent": None, "role": "user", "content": HOSTILE}, {"id": "b", "parent": "a", "role": "assistant", "content": HOSTILE}]
        with open(path, "w") as file:
            json.dump({"conversations": [{"title": HOSTILE, "nodes": nodes}]}, file)

        def harmless():
            page.locator("aside input[type=file]").set_input_files(path)
            page.locator(".message").nth(1).wait_for()
            bad = page.evaluate("""() => document.querySelectorAll('.message img, .message script, a[href^="javascript"], [onerror]').length""")
            return bad == 0 and "<img src=x" in page.locator(".message-body").nth(1).inner_text(), bad
        self.check("import; what a model wrote never becomes HTML", harmless)

        def bad_import():
            with open(path, "w") as file:
                file.write('{"conversations": [{"nodes": [{"id": "a", "parent": "z"}]}]}')
            page.locator("aside input[type=file]").set_input_files(path)
            notice = page.locator(".notice.error")
            notice.wait_for()
            text = notice.inner_text()
            notice.get_by_role("button").click()
            return "not imported" in text and "parent" in text, text
        self.check("a file that is no export is refused with the reason", bad_import)

        def export():
            page.locator("body").press("l")
            with page.expect_download() as download:
                page.get_by_role("button", name="Export all").click()
            with open(download.value.path()) as file:
                kept = json.load(file)
            page.locator("body").press("Escape")
            return len(kept["conversations"]) >= 3 and all(each["nodes"] for each in kept["conversations"]), len(kept["conversations"])
        self.check("export holds every conversation", export)

    def keyboard(self):
        page = self.open()

        def no_trap():
            seen = set()
            for _ in range(60):
                page.keyboard.press("Tab")
                seen.add(page.evaluate("document.activeElement === document.body ? 'body' : document.activeElement.outerHTML.slice(0, 90)"))
            return len(seen) >= 8 and ("body" in seen or any("skip" in each for each in seen)), len(seen)
        self.check("Tab goes round through everything", no_trap)

        def shortcuts():
            page.evaluate("document.activeElement.blur()")
            page.keyboard.press("?")
            page.get_by_role("dialog").wait_for()
            self.shot(page, "shortcuts")
            page.keyboard.press("Escape")
            page.keyboard.press("2")
            page.locator("#view-engine h1").wait_for()
            page.keyboard.press("3")
            page.locator("#view-batches h1").wait_for()
            page.keyboard.press("1")
            page.get_by_label("Message", exact=True).wait_for()
            page.keyboard.press("2")
            return page.get_by_label("Message", exact=True).input_value() == "2"
        self.check("shortcuts act, and not while one writes", shortcuts)
        page.context.close()

    def batches(self):
        page = self.page
        lines = [{"custom_id": f"line-{index}", "method": "POST", "url": "/v1/completions",
                  "body": {"model": "stories", "prompt": f"Day {index}", "max_tokens": 40, "ignore_eos": True}} for index in range(120)]
        path = f"{self.folder}/days.jsonl"
        with open(path, "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        page.goto(f"{self.server.url}/#batches")

        def run():
            page.set_input_files("#batch-file", path)
            page.get_by_role("button", name="Upload and run").click()
            page.locator(".batch").first.wait_for()
            self.shot(page, "batch-running")
            page.locator(".batch .badge.completed").wait_for(timeout=120_000)
            with page.expect_download() as download:
                page.get_by_role("button", name="Answers").click()
            with open(download.value.path()) as file:
                answers = [json.loads(line) for line in file]
            self.shot(page, "batch-done")
            return len(answers) == 120 and {each["custom_id"] for each in answers} == {line["custom_id"] for line in lines}, len(answers)
        self.check("a batch: uploaded, run, its answers fetched", run)

        def cancel():
            with open(path, "w") as file:
                file.writelines(json.dumps({**line, "custom_id": f"{copy}-{line['custom_id']}"}) + "\n" for copy in range(20) for line in lines)
            page.set_input_files("#batch-file", path)
            page.get_by_role("button", name="Upload and run").click()
            page.get_by_role("button", name="Cancel", exact=True).click()
            page.get_by_role("button", name="Stop it").click()
            page.locator(".batch .badge.cancelled").wait_for(timeout=60_000)
            return True
        self.check("a batch is cancelled", cancel)

        def wrong():
            with open(path, "w") as file:
                file.write("no json\n")
            page.set_input_files("#batch-file", path)
            notice = page.locator(".notice.error")
            notice.wait_for()
            text = notice.inner_text()
            notice.get_by_role("button").click()
            return "no JSON" in text, text
        self.check("a file that is no batch is refused before it is sent", wrong)

    def engine(self):
        done = threading.Event()

        def load(number):
            while not done.is_set():
                shared = "Once upon a time there was a little girl named Lily who had a big red ball and a small dog. " * 6
                self.server.request("POST", "/v1/completions", {"model": "stories", "prompt": f"{shared} On day {number} they",
                                                                "max_tokens": 250, "ignore_eos": True, "seed": number, "temperature": 1})
        workers = [threading.Thread(target=load, args=(number,)) for number in range(6)]
        for worker in workers:
            worker.start()
        try:
            for name, options in [("light", {}), ("dark", {"color_scheme": "dark"}),
                                  ("phone", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True})]:
                page = self.open(f"{self.server.url}/#engine", **options)

                def live():
                    stories = page.locator(".model-tabs").get_by_role("button", name="stories")
                    stories.click()
                    page.locator(".line-chart").first.wait_for()
                    page.wait_for_timeout(4500)
                    running = page.locator(".line-chart strong").nth(2).inner_text()
                    speed = page.locator(".line-chart strong").first.inner_text()
                    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    self.shot(page, f"engine-{name}")
                    page.evaluate("document.querySelector('#view-engine').scrollTop = 1e6")
                    page.wait_for_timeout(200)
                    self.shot(page, f"engine-{name}-below")
                    return float(running) >= 1 and float(speed.replace(",", "")) > 0 and wide <= 0, (running, speed, wide)
                self.check(f"the engine at work, {name}", live)
                page.context.close()
        finally:
            done.set()
            for worker in workers:
                worker.join()

    def appearances(self):
        for name, options in [("dark", {"color_scheme": "dark"}),
                              ("phone", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}),
                              ("phone-dark", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True, "color_scheme": "dark"})]:
            page = self.open(**options)
            self.model(page, "chat")

            def fits():
                page.get_by_label("Message", exact=True).fill("hello")
                page.get_by_role("button", name="Send").click()
                page.locator(".message.assistant").wait_for()
                self.idle(page)
                self.shot(page, f"chat-{name}")
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                page.get_by_role("button", name="Parameters", exact=True).click()
                self.shot(page, f"parameters-{name}")
                dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
                return wide <= 0, (wide, dark)
            self.check(f"chat, {name}: nothing is wider than the screen", fits)
            page.context.close()
        page = self.open(color_scheme="light")

        def toggle():
            background = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
            light = background()
            page.locator("#theme").click()
            page.locator("#theme").click()
            dark = background()
            page.reload()
            return light != dark and background() == dark, (light, dark)
        self.check("the colours are toggled, and stay after a reload", toggle)
        page.context.close()

    def keys(self):
        context = self.browser.new_context()
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.goto(self.locked.url)

        def asked():
            field = page.get_by_label("API key", exact=True)
            field.fill("wrong")
            page.keyboard.press("Enter")
            page.locator("dialog .wrong").wait_for()
            self.shot(page, "key")
            page.get_by_label("API key", exact=True).fill("right-key")
            page.keyboard.press("Enter")
            page.get_by_label("Model", exact=True).locator("option", has_text="chat").wait_for(state="attached")
            return True
        self.check("a key is asked for, a wrong one again, the right one serves", asked)
        context.close()

    def offline(self):
        """The server goes away and comes back."""
        page = self.open(self.locked_free().url)
        self.locked_server.stop()

        def told():
            page.get_by_label("Message", exact=True).fill("hello")
            page.keyboard.press("Enter")
            page.locator(".failure").wait_for()
            text = page.locator(".failure").inner_text()
            self.locked_server.start()
            page.get_by_role("button", name="Try again").click()
            page.locator(".message-foot", has_text="token").wait_for()
            return "does not answer" in text, text
        before = len(self.complaints)
        self.check("a server that went away is told, and tried again when it is back", told)
        # The browser itself logs connections that fail.
        self.complaints[before:] = [each for each in self.complaints[before:] if "ERR_CONNECTION" not in each]
        page.context.close()
        self.locked_server.stop()

    def locked_free(self):
        self.locked_server = Server(self.server.command[0], self.folder, [f"chat={REPOSITORY}/Models/chat"], name="away").start()
        self.locked = self.locked_server
        return self.locked_server


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
            for view in (checks.conversation, checks.text, checks.safety, checks.keyboard, checks.batches, checks.engine, checks.appearances,
                         checks.keys, checks.offline):
                try:
                    view()
                except Exception as error:  # A view that cannot even be set up is a failed check, and the others go on.
                    checks.tally.check(f"{view.__name__}: set up", False, str(error)[:400])
            browser.close()
        checks.tally.check("no errors in the console, no request elsewhere", not checks.complaints, checks.complaints[:5])
        print(f"{checks.shots} screenshots in {arguments.screenshots}")
    finally:
        for each in (server, locked, getattr(checks, "locked_server", None)):
            if each:
                each.kill()
        shutil.rmtree(folder, ignore_errors=True)
    checks.tally.end()


if __name__ == "__main__":
    main()
