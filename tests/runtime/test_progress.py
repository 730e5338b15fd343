"""What is printed: nothing commands a terminal, nothing is lost to an encoding."""

import io
import json
import os
import subprocess
import sys
import threading

import pytest

from mrnn_np.runtime import progress
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import printable, say, show, show_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a dog \\ ü 狗 \U0001f600 e\u0301", "a dog \\ ü 狗 \U0001f600 e\u0301"),
        ("\x1b[2J\x1b]0;title\x07", "\\u001b[2J\\u001b]0;title\\u0007"),
        ("\x00\x7f\x9b31m\x85", "\\u0000\\u007f\\u009b31m\\u0085"),
        ("a\nb\r\tc\x0b\x0c\b", "a\\nb\\r\\tc\\u000b\\f\\b"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("gpj.\u202eevil\u2066x\u2069", "gpj.\\u202eevil\\u2066x\\u2069"),
        ("\udcfc \ud83d\ude00", "\\udcfc \\ud83d\\ude00"),
    ],
)
def test_nothing_commands_a_terminal(text, shown):
    assert printable(text) == shown


def test_every_control_character_is_shown_and_every_letter_stays():
    for number in range(0x110000):
        character = chr(number)
        shown = printable(character)
        if number < 32 or 127 <= number < 160 or 0xD800 <= number < 0xE000:
            assert shown.startswith("\\") and shown.isprintable()
        elif character.isprintable():
            assert shown == character
        shown.encode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "gbk"])
def test_what_an_encoding_cannot_spell_is_shown_as_json_would(encoding):
    text = "aü狗\U0001f600\udcfc\x1b"
    shown = printable(text, encoding)
    assert shown.encode(encoding).decode(encoding) == shown
    assert json.loads(f'"{shown}"') == text
    assert ("ü" in shown) == (encoding not in ("ascii",))


class Terminal(io.TextIOWrapper):
    """A stream of another encoding, without a descriptor."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding)

    def bytes(self):
        return self.buffer.getvalue()


def test_lines_go_out_at_once_in_any_encoding(monkeypatch):
    out, err = Terminal("ascii"), Terminal("latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    show("ü.jpg: a dog")
    show()
    show_json({"ü": "\x7f\n狗"})
    say("ü 狗\nmrnn-np: error: none")
    lines = out.bytes().decode("ascii").split("\n", 2)
    assert lines[:2] == ["\\u00fc.jpg: a dog", ""]
    assert json.loads(lines[2]) == {"ü": "\x7f\n狗"}
    assert err.bytes() == "ü \\u72d7\\nmrnn-np: error: none\n".encode("latin-1")


def test_streams_that_are_closed_take_nothing(monkeypatch):
    for stream in (None, Terminal("ascii")):
        if stream is not None:
            stream.close()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        show("x")
        show_json([])
        say("x")
        assert list(progress.progress([1, 2], label="x")) == [1, 2]


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_results_that_cannot_be_written_are_an_error_and_remarks_are_not(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    with pytest.raises(
        InputError, match="standard output: cannot be written: No space"
    ):
        show("x")
    say("x")


def test_a_remark_of_a_signal_handler_amid_another_ends_nothing(monkeypatch):
    class Busy(io.StringIO):
        def write(self, text):
            raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    monkeypatch.setattr(sys, "stderr", Busy())
    say("stopping after this step")


def run(code, **streams):
    code = f"from mrnn_np.runtime.progress import say, show\n{code}"
    # With buffers, whatever the shell says: what is left in one fails once more.
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, timeout=60, env=environment, **streams)


def test_a_full_disk_is_told_once_and_not_again_by_python():
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    code = (
        "from mrnn_np.runtime.errors import InputError\n"
        "try: show('x')\n"
        "except InputError as error: say(str(error))"
    )
    with open("/dev/full", "w") as full:
        done = run(code, stdout=full, stderr=subprocess.PIPE)
        assert done.stderr.count(b"\n") == 1 and b"No space left" in done.stderr
        assert done.returncode == 0
        assert run("say('x')", stderr=full).returncode == 0


def test_say_may_be_called_from_many_threads(monkeypatch):
    err = Terminal("utf-8")
    monkeypatch.setattr(sys, "stderr", err)
    threads = [
        threading.Thread(target=lambda n=n: [say(str(n) * 50) for _ in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(line) for line in err.bytes().split()} == {50}
