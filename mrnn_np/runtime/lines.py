"""Text on one line that does no harm: what stands in errors, and what is printed.

File names, captions and words come from strangers, and errors quote them.

Knows: characters. Does not know: streams, encodings, who shows the line.
"""

import json
import re

# Control characters (escape sequences begin with U+001B or U+009B), what breaks a line
# or turns the direction of writing, and halves of characters.
COMMANDS_TO_A_TERMINAL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
LONGEST = 800  # characters of an error; the longest list of what is known has 300


def escape(text: str) -> str:
    """Return characters as JSON's escapes: ``\\n``, ``\\u001b``, ``\\ud83d\\ude00``."""
    return json.dumps(text)[1:-1]


def harmless(text: str) -> str:
    """Return the text with escapes in place of what commands a terminal."""
    return COMMANDS_TO_A_TERMINAL.sub(lambda found: escape(found[0]), text)


def one_line(text: str) -> str:
    """Return a text as one line that is harmless, without its middle if it is long."""
    line = harmless(" ".join(text.split()))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    return line
