"""The independent truth for chat templates: jinja2 with the settings of transformers' apply_chat_template.

Needs a Python with transformers and jinja2. The two scripts beside this file use it.
"""

import datetime
import json

import jinja2
from transformers.utils import chat_template_utils

NOW = datetime.datetime(2026, 3, 7, 9, 5, 3)


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 9, 5, 3)


chat_template_utils.datetime = FixedClock


def compiled(source):
    return chat_template_utils._cached_compile_jinja_template(source)


def outcome(action):
    """What `action` returns, or how it fails: 'raised' is the template's own refusal."""
    try:
        return {"output": action()}
    except jinja2.exceptions.TemplateSyntaxError as error:
        return {"error": "syntax", "message": str(error.message)}
    except jinja2.exceptions.UndefinedError as error:
        return {"error": "undefined", "message": str(error)}
    except jinja2.exceptions.SecurityError as error:
        return {"error": "security", "message": str(error)}
    except jinja2.exceptions.TemplateRuntimeError as error:
        return {"error": "runtime", "message": str(error)}
    except jinja2.exceptions.TemplateError as error:
        return {"error": "raised", "message": str(error)}
    except RecursionError:
        return {"error": "recursion", "message": "recursion"}
    except Exception as error:  # noqa: BLE001 - whatever Python raises, the template fails
        return {"error": type(error).__name__, "message": str(error)}


def render_context(source, context):
    """Renders with exactly these variables."""
    return outcome(lambda: compiled(source).render(**json.loads(json.dumps(context))))


def render_chat(source, conversation):
    """Renders as apply_chat_template does."""
    arguments = {key: conversation[key] for key in ("tools", "documents") if key in conversation}

    def action():
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[conversation["messages"]],
            chat_template=source,
            add_generation_prompt=conversation["add_generation_prompt"],
            **arguments,
            **conversation["variables"],
        )
        return rendered[0]

    return outcome(action)
