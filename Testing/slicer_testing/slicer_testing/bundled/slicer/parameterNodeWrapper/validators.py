"""Annotations that restrict the values of one parameter; each raises an exception for a value that it refuses."""

import abc

__all__ = ["Validator", "NotNone", "IsInstance", "WithinRange", "Minimum", "Maximum", "Choice", "Exclude", "RangeBounds"]


class Validator(abc.ABC):
    """Base class of all validators, those of modules included."""

    @abc.abstractmethod
    def validate(self, value) -> None:
        """Raise an exception, usually ValueError, if ``value`` is not allowed."""
        raise NotImplementedError(f"{type(self).__name__}.validate is not implemented")


def _isValidator(annotation) -> bool:
    # A class whose validate() is static may be used as an annotation without an instance.
    return isinstance(annotation, Validator) or (isinstance(annotation, type) and issubclass(annotation, Validator))


def extractValidators(annotations):
    """Split ``annotations`` into the list of validators and the list of all others, both in their order."""
    validators = [annotation for annotation in annotations if _isValidator(annotation)]
    others = [annotation for annotation in annotations if not _isValidator(annotation)]
    return validators, others


class IsNone(Validator):
    """Allows None only."""

    def __repr__(self) -> str:
        return "IsNone()"

    def validate(self, value) -> None:
        if value is not None:
            raise ValueError(f"Value must be None, but is {value!r}")


class NotNone(Validator):
    """Allows anything but None."""

    def __repr__(self) -> str:
        return "NotNone()"

    def validate(self, value) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    """Allows None and instances of a class, or of one of a tuple of classes; anything else is a TypeError."""

    def __init__(self, classtype):
        self.classtype = classtype

    def __repr__(self) -> str:
        return f"IsInstance({self.classtype!r})"

    def validate(self, value) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value {value!r} has type {type(value)}, which is not an instance of {self.classtype}")


class WithinRange(Validator):
    """Allows values from ``minimum`` to ``maximum``, both included."""

    def __init__(self, minimum, maximum):
        self.minimum = minimum
        self.maximum = maximum

    def __repr__(self) -> str:
        return f"WithinRange({self.minimum!r}, {self.maximum!r})"

    def validate(self, value) -> None:
        if value < self.minimum or value > self.maximum:
            raise ValueError(f"Value {value} is outside the range from {self.minimum} to {self.maximum}")


class Minimum(Validator):
    """Allows values that are not below ``minimum``."""

    def __init__(self, minimum):
        self.minimum = minimum

    def __repr__(self) -> str:
        return f"Minimum({self.minimum!r})"

    def validate(self, value) -> None:
        if value < self.minimum:
            raise ValueError(f"Value {value} is below the minimum {self.minimum}")


class Maximum(Validator):
    """Allows values that are not above ``maximum``."""

    def __init__(self, maximum):
        self.maximum = maximum

    def __repr__(self) -> str:
        return f"Maximum({self.maximum!r})"

    def validate(self, value) -> None:
        if value > self.maximum:
            raise ValueError(f"Value {value} is above the maximum {self.maximum}")


class Choice(Validator):
    """Allows the values in ``choices`` only."""

    def __init__(self, choices):
        self.choices = choices

    def __repr__(self) -> str:
        return f"Choice({self.choices!r})"

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"Value {value!r} is not one of the choices {self.choices!r}")


class Exclude(Validator):
    """Allows any value that is not in ``excludedValues``."""

    def __init__(self, excludedValues):
        self.excludedValues = excludedValues

    def __repr__(self) -> str:
        return f"Exclude({self.excludedValues!r})"

    def validate(self, value) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value {value!r} is one of the excluded values {self.excludedValues!r}")


class RangeBounds(Validator):
    """Allows a range (an object with ``minimum`` and ``maximum``) whose two ends are within the bounds.

    This follows the documentation. Slicer 5.12 accepts some ranges that exceed the upper bound.
    """

    def __init__(self, minimum, maximum):
        self.minimum = minimum
        self.maximum = maximum

    def __repr__(self) -> str:
        return f"RangeBounds({self.minimum!r}, {self.maximum!r})"

    def validate(self, value) -> None:
        if value.minimum < self.minimum or value.maximum > self.maximum:
            raise ValueError(
                f"Range from {value.minimum} to {value.maximum} reaches outside the bounds from {self.minimum} to {self.maximum}"
            )
