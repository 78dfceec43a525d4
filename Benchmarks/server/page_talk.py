"""What page_check.py does with conversations, texts and keys of the keyboard."""

import json
import random

from harness import Tally

# Nothing of it may become an element, an attribute or a script.
HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> [link](javascript:alert(3)) **bold** ![i](https://example.org/i.png)"


# Random texts of Markdown's own characters: grown piece by piece they look as shown at once, hold no element but these, link nowhere
# but to the web, and take no time that grows out of hand.
MARKDOWN = """async (texts) => {
  const { show } = await import("./page/markdown.js");
  const allowed = new Set("P H3 H4 H5 H6 UL OL LI BLOCKQUOTE HR PRE CODE DIV SPAN BUTTON STRONG EM S A TABLE THEAD TBODY TR TH TD".split(" "));
  let slowest = 0;
  for (const text of texts) {
    const whole = document.createElement("div");
    const start = performance.now();
    show(text, whole);
    slowest = Math.max(slowest, performance.now() - start);
    if (text.length < 500) {
      const grown = document.createElement("div");
      for (let end = 0; end <= text.length; end += 3) show(text.slice(0, end), grown);
      show(text, grown);
      if (!whole.isEqualNode(grown)) return `grown otherwise: ${JSON.stringify(text)}`;
    }
    for (const each of whole.querySelectorAll("*")) {
      if (!allowed.has(each.nodeName)) return `a ${each.nodeName}: ${JSON.stringify(text)}`;
      if (each.nodeName === "A" && !/^https?:/.test(each.href)) return `a link to ${each.href}`;
    }
  }
  return slowest < 1000 ? "" : `one took ${slowest} ms`;
}"""


def markdown_texts():
    generator = random.Random(7)
    parts = [
        "*",
        "**",
        "_",
        "`",
        "```",
        "```\n",
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "  ",
        "> ",
        "# ",
        "|",
        "|-|-|",
        "[a](https://x.y)",
        "[a](javascript:b)",
        "<img src=x onerror=y>",
        "word",
        " ",
        "~~",
        "---\n",
        "\\",
        "https://a.b/c",
        "(",
        "]",
        "é",
        "🐦",
    ]
    texts = ["".join(generator.choices(parts, k=generator.randrange(1, 60))) for _ in range(1500)]
    return texts + [part * 20_000 for part in parts] + ["".join(generator.choices(parts, k=20_000)) for _ in range(5)]


class Talk:
    def __init__(self, browser, server, locked, screenshots, folder):
        self.browser, self.server, self.locked, self.screenshots, self.folder = (
            browser,
            server,
            locked,
            screenshots,
            folder,
        )
        self.tally = Tally()
        self.complaints = []
        self.shots = 0

    def open(self, url=None, **options):
        context = self.browser.new_context(
            **{"viewport": {"width": 1280, "height": 860}, "accept_downloads": True, **options}
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        # A request that is answered 400 or 401 is logged as an error too; those are asked for here.
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and "the server responded with a status of 4" not in message.text
                and self.complaints.append(f"{message.type}: {message.text}")
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((self.server.url, self.locked.url, "blob:", "data:"))
                or self.complaints.append(f"a request to {request.url}")
            ),
        )
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
            return len(texts) == 2 and texts[0] == "hello" and texts[1] and "seed 5" in page.locator(
                ".message-foot"
            ).last.inner_text(), texts

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
            return texts[:2] == first and texts[2] == "my name is Sue" and "2 / 2" in page.locator(
                ".siblings"
            ).first.inner_text(), texts

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
            return (
                page.locator(".message.assistant .siblings").last.inner_text().replace("\n", "").find("2 / 2") >= 0
                and len(self.texts(page)) == 4
            ), self.texts(page)

        self.check(
            "another answer is kept beside the first, and the same with the same seed",
            lambda: (again()[0] and self.same_as_sibling(page), self.texts(page)),
        )

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
            return before.startswith("Once upon a time") and len("".join(self.texts(page))) > len(before), self.texts(
                page
            )

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

        def markdown():
            complaint = page.evaluate(MARKDOWN, markdown_texts())
            return complaint == "", complaint[:300]

        self.check("Markdown of random texts: safe, quick, the same in pieces and at once", markdown)
        path = f"{self.folder}/hostile.json"
        nodes = [
            {"id": "a", "parent": None, "role": "user", "content": HOSTILE},
            {"id": "b", "parent": "a", "role": "assistant", "content": HOSTILE},
        ]
        with open(path, "w") as file:
            json.dump({"conversations": [{"title": HOSTILE, "nodes": nodes}]}, file)

        def harmless():
            page.locator("aside input[type=file]").set_input_files(path)
            page.locator(".message").nth(1).wait_for()
            bad = page.evaluate(
                """() => document.querySelectorAll('.message img, .message script, a[href^="javascript"], [onerror]').length"""
            )
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
            return len(kept["conversations"]) >= 3 and all(each["nodes"] for each in kept["conversations"]), len(
                kept["conversations"]
            )

        self.check("export holds every conversation", export)

    def keyboard(self):
        page = self.open()

        def no_trap():
            seen = set()
            for _ in range(60):
                page.keyboard.press("Tab")
                seen.add(
                    page.evaluate(
                        "document.activeElement === document.body ? 'body' : document.activeElement.outerHTML.slice(0, 90)"
                    )
                )
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
