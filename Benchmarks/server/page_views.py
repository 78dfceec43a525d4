"""What page_check.py does with the other views: batches, the engine, colours and sizes, keys, a server that goes away."""

import json
import threading

from harness import REPOSITORY, Server
from page_talk import Talk

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


class Checks(Talk):
    def batches(self):
        page = self.page
        lines = [
            {
                "custom_id": f"line-{index}",
                "method": "POST",
                "url": "/v1/completions",
                "body": {"model": "stories", "prompt": f"Day {index}", "max_tokens": 40, "ignore_eos": True},
            }
            for index in range(120)
        ]
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
            return len(answers) == 120 and {each["custom_id"] for each in answers} == {
                line["custom_id"] for line in lines
            }, len(answers)

        self.check("a batch: uploaded, run, its answers fetched", run)

        def cancel():
            with open(path, "w") as file:
                file.writelines(
                    json.dumps({**line, "custom_id": f"{copy}-{line['custom_id']}"}) + "\n"
                    for copy in range(20)
                    for line in lines
                )
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
                shared = (
                    "Once upon a time there was a little girl named Lily who had a big red ball and a small dog. " * 6
                )
                self.server.request(
                    "POST",
                    "/v1/completions",
                    {
                        "model": "stories",
                        "prompt": f"{shared} On day {number} they",
                        "max_tokens": 250,
                        "ignore_eos": True,
                        "seed": number,
                        "temperature": 1,
                    },
                )

        workers = [threading.Thread(target=load, args=(number,)) for number in range(6)]
        for worker in workers:
            worker.start()
        try:
            for name, options in [
                ("light", {}),
                ("dark", {"color_scheme": "dark"}),
                (
                    "phone",
                    {
                        "viewport": {"width": 390, "height": 844},
                        "device_scale_factor": 2,
                        "has_touch": True,
                        "is_mobile": True,
                    },
                ),
            ]:
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
                    return float(running) >= 1 and float(speed.replace(",", "")) > 0 and wide <= 0, (
                        running,
                        speed,
                        wide,
                    )

                self.check(f"the engine at work, {name}", live)
                page.context.close()
        finally:
            done.set()
            for worker in workers:
                worker.join()

    def appearances(self):
        for name, options in [
            ("dark", {"color_scheme": "dark"}),
            (
                "phone",
                {
                    "viewport": {"width": 390, "height": 844},
                    "device_scale_factor": 2,
                    "has_touch": True,
                    "is_mobile": True,
                },
            ),
            (
                "phone-dark",
                {
                    "viewport": {"width": 390, "height": 844},
                    "device_scale_factor": 2,
                    "has_touch": True,
                    "is_mobile": True,
                    "color_scheme": "dark",
                },
            ),
        ]:
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
        self.locked_server = Server(
            self.server.command[0], self.folder, [f"chat={REPOSITORY}/Models/chat"], name="away"
        ).start()
        self.locked = self.locked_server
        return self.locked_server
