# SPDX-License-Identifier: MIT
"""What the public headers say of each function, against what its code does."""

import re

from . import tree


class Function:
    def __init__(self, header, name, is_status, doc):
        self.header = header
        self.name = name
        self.is_status = is_status
        self.doc = doc

    @property
    def returns(self):
        """What stands behind "Returns", to the end of the comment."""
        found = re.search(r"\bReturns\b(.*)", self.doc, re.S)
        return found[1] if found else ""


def statuses():
    text = (tree.TOP / "include/sluice/status.h").read_text()
    return set(re.findall(r"SLUICE_ERR_(\w+)", text))


def head(text):
    found = re.search(r"/\*.*?\*/", text[text.index("\n"):], re.S)
    return found[0] if found else ""


def plain(comment):
    return " ".join(re.sub(r"^\s*(/\*\*?|\*/|\*)", "", line).removesuffix("*/")
                    for line in comment.splitlines())


def functions(header):
    """The functions of a header; those that stand together without a blank line share a comment."""
    text = header.read_text()
    doc, end = "", 0
    for found in re.finditer(r"^SLUICE_API\s+([^;{]*?)(\w+)\(([^;]*)\)[^;]*;", text, re.M):
        between = text[end:found.start()]
        comment = re.findall(r"/\*\*(?:(?!\*/).)*\*/(?=\s*\Z)", between, re.S)
        if comment:
            doc = plain(comment[-1])
        elif end == 0 or "\n\n" in between:
            doc = ""
        end = found.end()
        yield Function(header, found[2], "enum sluice_status" in found[1], doc)


def undocumented():
    wrong = []
    for header in sorted((tree.TOP / "include/sluice").glob("*.h")):
        top = plain(head(header.read_text()))
        for function in functions(header):
            where = f"{header.name}: {function.name}"
            if not function.doc:
                wrong.append(f"{where}: no comment")
            if "Context" not in function.doc and "Context" not in top:
                wrong.append(f"{where}: no Context, and none in the file's head")
            walks = function.name.endswith("_next") and "alk" in top
            if function.is_status and not walks and not function.returns:
                wrong.append(f"{where}: no Returns")
    return wrong


def errors_of(name, bodies):
    """Statuses that a function names, and the functions of its file that it calls."""
    seen, left, errors = set(), [name], set()
    while left:
        body = bodies[left.pop()]
        errors |= set(re.findall(r"(?:return|status =|\?|:) SLUICE_ERR_(\w+)", body))
        called = {call for call in re.findall(r"\b(\w+)\(", body) if call in bodies}
        left += sorted(called - seen)
        seen |= called
    return errors


def unlisted():
    """Errors that a public function's code names and its comment does not. Only its own file is
    looked at: what comes from further below is for whoever writes the comment."""
    documented = {function.name: function
                  for header in sorted((tree.TOP / "include/sluice").glob("*.h"))
                  for function in functions(header) if function.is_status and function.returns}
    wrong = []
    for path in sorted((tree.TOP / "src").rglob("*.c")):
        text = re.sub(r'/\*.*?\*/|"[^"\n]*"', "", path.read_text(), flags=re.S)
        bodies = {found[1]: found[2]
                  for found in re.finditer(r"^[a-z][\w \*]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}",
                                           text, re.M | re.S)}
        for name in sorted(set(bodies) & set(documented)):
            function = documented[name]
            if re.search(r"Returns:? as|those of", function.doc):
                continue
            wrong += [f"{function.header.name}: {name}: returns {error} and does not say so"
                      for error in sorted(errors_of(name, bodies) & statuses())
                      if not re.search(rf"\b{error}\b", function.doc)]
    return wrong
