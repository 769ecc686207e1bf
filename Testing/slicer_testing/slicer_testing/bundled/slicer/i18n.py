"""Translation of messages that modules show."""

import logging
import os
import re
import sys

# Translation context of each source file; a cache, since access to the disk at each call would be slow.
_contextOfFile = {}

# A placeholder of str.format, but not an escaped brace ({{ }}).
_PLACEHOLDER = re.compile(r"(?<!\{)\{([^\{\}]+)\}(?!\})")


def translate(context, text):
    """Return the translation of ``text`` in ``context`` to the language of the application; ``text`` itself without an application."""
    try:
        from slicer import app
    except ImportError:
        return text
    return app.translate(context, text)


def getContext(sourceFile):
    """Return the translation context of a source file: its name without ``.py``, after the package name if it is in a package."""
    context = _contextOfFile.get(sourceFile)
    if context is None:
        context = os.path.basename(sourceFile)
        if os.path.isfile(sourceFile):
            context = context.replace(".py", "")
            folder = os.path.dirname(sourceFile)
            if os.path.isfile(os.path.join(folder, "__init__.py")):
                context = os.path.basename(folder) + "." + context
        _contextOfFile[sourceFile] = context
    return context


def tr(text):
    """Return the translation of ``text`` in the context of the calling file; usually imported as ``_``."""
    # Access to one frame is a thousand times faster than inspect.stack().
    context = getContext(sys._getframe(1).f_code.co_filename)
    translated = translate(context, text)
    if set(_PLACEHOLDER.findall(text)) != set(_PLACEHOLDER.findall(translated)):
        # str.format would raise a KeyError at run time.
        logging.warning(f"In context '{context}', translation of '{text}' to '{translated}' is incorrect: placeholders do not match")
        return text
    return translated
