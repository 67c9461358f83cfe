"""Turns `pip config list` on standard input into the shell exports that give uv the same settings."""

import ast
import os
import shlex
import sys

#: pip's option, uv's variable, and what separates several values there.
_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
_EXTRA = {"extra-index-url": ("UV_INDEX", " ")}
#: As in pip, a variable beats the section [install], which beats [global].
_RANK = {":env:": 3, "install": 2, "global": 1}


def main() -> None:
    """Translates the settings that uv knows; what the environment already tells uv is left alone."""
    names = _NAMES | (_EXTRA if "--extra-indexes" in sys.argv[1:] else {})
    found: dict[str, tuple[int, list[str]]] = {}
    for line in sys.stdin:
        key, _, value = line.strip().partition("=")
        section, _, option = key.rpartition(".")
        rank = _RANK.get(section, 0)
        if option in names and rank > found.get(option, (0, []))[0]:
            found[option] = (rank, str(ast.literal_eval(value)).split())
    for option, (_, values) in found.items():
        variable, separator = names[option]
        if variable not in os.environ:
            print(f"export {variable}={shlex.quote(separator.join(values))}")


if __name__ == "__main__":
    main()
