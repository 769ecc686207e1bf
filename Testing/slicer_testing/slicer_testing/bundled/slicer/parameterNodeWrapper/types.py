"""Predefined parameter packs."""

from .parameterPack import parameterPack

__all__ = ["FloatRange"]


@parameterPack
class FloatRange:
    """A range whose minimum is never above its maximum."""

    # The scene stores the values under these names.
    _minimum: float
    _maximum: float

    def __init__(self, minimum=0.0, maximum=0.0):
        self.setRange(minimum, maximum)

    @staticmethod
    def checkRange(minimum, maximum) -> None:
        """Raise ValueError if the ends are not in order."""
        # Negated, so that NaN is refused too.
        if not minimum <= maximum:
            raise ValueError(f"The minimum {minimum} of a FloatRange must not be above its maximum {maximum}")

    def __repr__(self) -> str:
        return f"FloatRange(minimum={self.minimum}, maximum={self.maximum})"

    __str__ = __repr__

    @property
    def minimum(self) -> float:
        return self._minimum

    @minimum.setter
    def minimum(self, value: float) -> None:
        self.checkRange(value, self._maximum)
        self._minimum = value

    @property
    def maximum(self) -> float:
        return self._maximum

    @maximum.setter
    def maximum(self, value: float) -> None:
        self.checkRange(self._minimum, value)
        self._maximum = value

    def setRange(self, minimum, maximum) -> None:
        """Set both ends."""
        self.checkRange(minimum, maximum)
        self._minimum = minimum
        self._maximum = maximum
