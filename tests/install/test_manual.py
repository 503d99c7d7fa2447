"""Whatever the daemon may log, or say of its configuration, stands in DIAGNOSTICS of a manual page.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STRING = r'"((?:[^"\\]|\\.)*)"'
# What stands for a value in the heads of the pages' entries, as they are written there.
PLACES = ("ACL ADDRESS BITS COMMAND DIRECTORY FILE FILES HEX KEY LINE LOCATION N NAME NUMBER OTHER "
          "PATH REASON SERVER STATE STEP TEXT USER V VALUE VERB VERSION WHO WORD").split()
PLACE = rf"'?(?<![A-Za-z])(?:{'|'.join(PLACES)}|yes\|no|process N|WHAT IS ALLOWED)(?![A-Za-z])'?"
# A value in either, and one that a user may follow.
SOME, CLIENT = "\N{HORIZONTAL ELLIPSIS}", "\N{BULLET}"


def arguments(text, at):
    """Those of the call whose "(" is at this place."""
    found, depth, start = [], 0, at + 1
    for token in re.finditer(STRING + r"|'(?:[^'\\]|\\.)'|[(){}\[\],]", text[at:]):
        place = at + token.start()
        if token[0] in ("(", "{", "["):
            depth += 1
        elif token[0] in (")", "}", "]"):
            depth -= 1
        if depth == 0 or token[0] == "," and depth == 1:
            found.append(text[start:place].strip())
            start = place + 1
        if depth == 0:
            return found
    raise AssertionError(f"a call without an end: {text[at:at + 80]}")


def line_of(format_argument):
    """What is written by such a format, SOME for each value and for what a macro holds."""
    parts = re.findall(STRING + r"|(\w+)", format_argument)
    text = "".join(SOME if name else string for string, name in parts)
    text = re.sub(r"%[-+0-9.*]*(?:ll|l|z|h)?[a-z]", SOME, text)
    return re.sub(PLACE, SOME, text.replace('\\"', '"').replace("\\\\", "\\"))


def lines(functions, folders):
    """Yield where and what for each call of them whose text is more than what others made."""
    for folder in folders:
        for path in sorted((ROOT / "mupdated").glob(folder)):
            text = path.read_text(encoding="utf-8")
            for call in re.finditer(rf"\b(?:{functions})(?=\()", text):
                given = arguments(text, call.end())
                formats = [one for one in given if one.startswith('"') and "LOG_DEBUG" not in given]
                if formats and line_of(formats[0]).strip(SOME + ": "):
                    number = text.count("\n", 0, call.start()) + 1
                    yield f"{path.relative_to(ROOT)}:{number}", line_of(formats[0])


def heads(page):
    """Those of the entries in DIAGNOSTICS of a page, without its marks."""
    text = (ROOT / "man" / page).read_text(encoding="utf-8")
    section = text.partition("\n.Sh DIAGNOSTICS\n")[2].partition("\n.Sh ")[0]
    for head in re.findall(r"^\.It (?:Li )?(.*)$", section, re.MULTILINE):
        for one in head.split(" , Li "):
            for mark, character in (("\\(dq", '"'), ("\\&", ""), ("\\e", "\\")):
                one = one.replace(mark, character)
            yield one.strip('"')


def pattern(head):
    """Of what this entry is about: its beginning, where a part in brackets may be missing."""
    head = re.sub(r"\[ADDRESS\] port=N user=NAME( \[by=NAME\])?", CLIENT, head)
    head = re.sub(r"\[ADDRESS\]( port=N)?", SOME, head)
    head, cut, _ = re.sub(PLACE, SOME, head).partition(" ...")
    head = re.escape(head)
    head = head.replace(r"\ \[", r"(?:\ ").replace(r"\]", ")?")
    # "store: TEXT" is not about "store: DIRECTORY: is missing".
    end = f"(?![:{SOME} ])" if head.endswith(SOME) and not cut else ""
    return head.replace(SOME, SOME + "+").replace(CLIENT, rf"{SOME}+(?:\ user={SOME})?") + end


def is_known(line, entries):
    """What a line begins with may be a value in the source and a word in the manual, or the place
    in the configuration."""
    if any(re.match(pattern(head), line) for head in entries):
        return True
    rests = [(head.partition(":")[2], line.partition(":")[2]) for head in entries]
    return line.startswith(f"{SOME}:") and any(
        re.match(pattern(rest), end) and re.search("[a-z]{2}", rest) or
        re.match(pattern(head), end.strip())
        for head, (rest, end) in zip(entries, rests))


@pytest.mark.parametrize("pages, functions, folders", [
    (["mupdated.8"], "log_error|log_warning|log_notice|log_info|log_write", ["*.c", "*/*.c"]),
    (["mupdated.8"], "store_log|say", ["store/*.c", "writer/*.c"]),
    # What they hand to others to be logged, or to be said by mupdatectl; and texts for neither.
    (["mupdated.8", "mupdatectl.8"], "snprintf", ["store/*.c", "writer/*.c"]),
    (["mupdated.conf.5"], "config_tell|config_fail", ["config*.c"]),
])
def test_the_manual_has_each_line_that_is_logged(pages, functions, folders):
    known = [head for page in pages for head in heads(page)]
    found = [(where, line) for where, line in lines(functions, folders)
             if functions != "snprintf" or re.match("(store|writer): ", line)]
    assert len(found) >= 5
    missing = [f"{where}: {line}" for where, line in found if not is_known(line, known)]
    assert not missing, f"not in DIAGNOSTICS of {pages}:\n" + "\n".join(missing)
