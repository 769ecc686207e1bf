"""The annotation for the default of a parameter."""

__all__ = ["Default"]


class Default:
    """Default of a parameter: either ``value`` itself, or the result of ``generator()`` at each use."""

    def __init__(self, value=None, *, generator=None):
        self._value = value
        self._generator = generator

    @property
    def value(self):
        return self._value if self._generator is None else self._generator()

    def __eq__(self, other):
        if not isinstance(other, Default):
            return False
        return (self._value, self._generator) == (other._value, other._generator)

    # __eq__ alone would remove the hash, and typing.Annotated hashes its annotations if it can.
    __hash__ = None

    def __repr__(self) -> str:
        return f"Default(value={self._value!r}, generator={self._generator!r})"


def extractDefault(annotations):
    """Split ``annotations`` into the Default among them (or None) and the list of all others."""
    found = [annotation for annotation in annotations if isinstance(annotation, Default)]
    if len(found) > 1:
        raise ValueError("A parameter can have only one Default annotation")
    others = [annotation for annotation in annotations if not isinstance(annotation, Default)]
    return (found[0] if found else None), others
